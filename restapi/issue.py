"""`prominence-token`: a login for a user, signed with the site's own key. For whoever can read that key.

python3 -m prominence.restapi.issue USER [--group GROUP]... [--days N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prominence.core.errors import Rejected
from prominence.core.settings import load
from prominence.restapi.adapters.local_tokens import LocalTokens
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.wiring import secret_of

LONGEST_DAYS = 3650


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the token."""
    given = _parser().parse_args(arguments)
    try:
        settings = load(RestApiSettings, "restapi", given.config)
        tokens = LocalTokens(secret_of(settings.token_key_file))
        print(tokens.issue(given.user, given.group, datetime.now(UTC), timedelta(days=given.days)))
    except (Rejected, OSError) as error:
        print(f"prominence-token: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("prominence-token", description="A login for a user of this site.")
    parser.add_argument("--config", type=Path, help="the API's settings (default: /etc/prominence/restapi.toml)")
    parser.add_argument("user", help="the user's name")
    parser.add_argument("--group", action="append", default=[], help="a group of the user; may be repeated")
    parser.add_argument("--days", type=_days, default=30, help="how long it is good (default: %(default)s)")
    return parser


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= LONGEST_DAYS:
        raise argparse.ArgumentTypeError(f"from 1 to {LONGEST_DAYS}")
    return days


if __name__ == "__main__":
    sys.exit(main())
