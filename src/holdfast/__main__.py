"""`python -m holdfast`: the command line without its name on the path."""

import sys

from holdfast.cli import main

if __name__ == "__main__":
    sys.exit(main())
