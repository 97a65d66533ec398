"""`python -m prominence.executor.broker`, and the start of broker.pyz."""

from __future__ import annotations

import sys

from prominence.executor.broker.main import main

sys.exit(main())
