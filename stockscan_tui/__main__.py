"""`python -m stockscan_tui` is `stockscan`."""

import sys

from stockscan_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
