"""`python -m tlgrade`."""

import sys

from tlgrade.cli import main

if __name__ == "__main__":
    sys.exit(main())
