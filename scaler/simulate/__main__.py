"""`python -m prominence.scaler.simulate`."""

from __future__ import annotations

import sys

try:
    from prominence.scaler.simulate.main import main
except ModuleNotFoundError as error:
    if error.name not in ("scipy", "matplotlib"):
        raise
    print(f"simulate: {error.name} is missing: pip install 'prominence-htc[simulate]'", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
