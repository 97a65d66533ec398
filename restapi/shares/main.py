"""Start HTCondor's central manager with the shares of groups: settings -> its environment -> the command.

python -m prominence.restapi.shares.main --config FILE condor_master -f
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from prominence.core.errors import Rejected
from prominence.core.settings import load
from prominence.restapi import rounds
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.shares.rules import as_settings, environment

COMPONENT = "shares"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, where there is no command to become."""
    parser = argparse.ArgumentParser(prog=COMPONENT, description="Starts HTCondor with the shares of groups.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the REST API's TOML file of settings")
    parser.add_argument(
        "command",
        nargs=argparse.REMAINDER,
        help="what to become; absent: print the shares alone, as a file of settings for another central manager",
    )
    options = parser.parse_args(arguments)
    try:
        settings = load(RestApiSettings, "restapi", options.config)
    except Rejected as error:
        return rounds.refused(COMPONENT, error)
    shares = [one.share() for one in settings.accounting.shares]
    if options.command:
        os.execvpe(options.command[0], options.command, {**os.environ, **environment(shares)})
    print(as_settings(shares), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
