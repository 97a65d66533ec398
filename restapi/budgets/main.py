"""The process that holds groups to their budgets: settings -> services -> round after round.

python -m prominence.restapi.budgets.main [--once]

One on each access point, beside the API and with its settings.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from prominence.core.errors import Rejected
from prominence.restapi import beats, rounds
from prominence.restapi.budgets.enforcement import enforce
from prominence.restapi.wiring import services_of

COMPONENT = "budgets"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = rounds.parser(COMPONENT, "Holds groups to their budgets.")
    parser.add_argument("--once", action="store_true", help="look once and end")
    options = parser.parse_args(arguments)
    try:
        settings = rounds.settled(COMPONENT, options)
        services = services_of(settings)
    except Rejected as error:
        return rounds.refused(COMPONENT, error)
    if options.once:
        enforce(services)
        return 0
    rounds.go_round_every(
        settings.accounting.budgets_interval_s, partial(enforce, services), beats.of(COMPONENT, services)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
