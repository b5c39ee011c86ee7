"""`python -m tlgrade`."""

import os
import sys

# With -m the working folder comes first, and it may be that of the submissions: a learner called `socket` is no module.
if sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from tlgrade.cli import main

if __name__ == "__main__":
    sys.exit(main())
