"""``python -m jaxgrad.cli``."""

import sys

from jaxgrad.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
