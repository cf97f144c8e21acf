"""``python -m bianlian``."""

import sys

from bianlian.cli import main

if __name__ == "__main__":
    sys.exit(main())
