"""What is on disk: files that are whole or absent, values as JSON, and names made of what a value says."""
