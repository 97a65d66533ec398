"""`python -m prominence.executor.broker`."""

from __future__ import annotations

import sys

from prominence.executor.broker.main import main

if __name__ == "__main__":
    sys.exit(main())
