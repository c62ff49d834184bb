"""Everything about one run: the value, what it depends on, its state, its folder, and the loop."""
