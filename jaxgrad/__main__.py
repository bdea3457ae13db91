"""``python -m jaxgrad``: the command line."""

import sys

from jaxgrad.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
