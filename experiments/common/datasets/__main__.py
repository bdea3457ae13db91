"""Download and prepare data sets: ``python -m experiments.common.datasets fashion_mnist [--data DIR]``."""

import argparse
import sys

from experiments.common.datasets.catalog import CATALOG
from experiments.common.datasets.download import download
from experiments.common.datasets.errors import DamagedData, DataUnavailable


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments.common.datasets", description=__doc__)
    parser.add_argument("names", nargs="+", choices=sorted(CATALOG), metavar="NAME", help=", ".join(CATALOG))
    parser.add_argument("--data", metavar="DIR", help="data directory (default: the user's tensorflow_datasets)")
    options = parser.parse_args(arguments)
    for name in options.names:
        try:
            print(f"{name}: prepared in {download(name, options.data)}")
        except (DataUnavailable, DamagedData) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
