"""The process that takes away what has had its time: settings -> services -> sweep after sweep.

python -m prominence.restapi.retention.main [--once | --dry-run]

One on each access point, beside the API and with its settings.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from prominence.core.errors import Rejected
from prominence.restapi import beats, rounds
from prominence.restapi.retention.sweep import plan, sweep
from prominence.restapi.wiring import services_of

COMPONENT = "retention"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    parser = rounds.parser(COMPONENT, "Takes away what has had its time.")
    parser.add_argument("--once", action="store_true", help="sweep once and end")
    parser.add_argument("--dry-run", action="store_true", help="print what would be taken away; change nothing")
    options = parser.parse_args(arguments)
    try:
        settings = rounds.settled(COMPONENT, options)
        services = services_of(settings)
    except Rejected as error:
        return rounds.refused(COMPONENT, error)
    if options.dry_run:
        for kind, names in vars(plan(services)).items():
            print("\n".join(f"{kind} {name}" for name in names))
        return 0
    if options.once:
        sweep(services)
        return 0
    rounds.go_round_every(settings.data.sweep_interval_s, partial(sweep, services), beats.of(COMPONENT, services))
    return 0


if __name__ == "__main__":
    sys.exit(main())
