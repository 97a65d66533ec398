"""`make bench`: measures everything, or what ONLY names, prints the table and writes results.json.

A subject is a module with MEASUREMENTS: functions by name, each of which gives the row of its name, or rows that begin
with it.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import (
    accounting,
    demo,
    executor,
    imc,
    journey,
    lists,
    scaler,
    scaler_matching,
    search,
    simulator,
    staging,
    submit,
    submit_budget,
    workflows,
)
from benchmarks.harness import Row, chosen
from benchmarks.results import keep, table

MEASUREMENTS = {
    **accounting.MEASUREMENTS,
    **search.MEASUREMENTS,
    **journey.MEASUREMENTS,
    **executor.MEASUREMENTS,
    **staging.MEASUREMENTS,
    **demo.MEASUREMENTS,
    **submit.MEASUREMENTS,
    **submit_budget.MEASUREMENTS,
    **lists.MEASUREMENTS,
    **workflows.MEASUREMENTS,
    **imc.MEASUREMENTS,
    **scaler.MEASUREMENTS,
    **scaler_matching.MEASUREMENTS,
    **simulator.MEASUREMENTS,
}


def main() -> int:
    """The exit code: 2 where there is nothing of that name."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--only", help="a subject, a measurement or a row (make bench ONLY=name)")
    only = parser.parse_args().only
    names = chosen(only, MEASUREMENTS)
    if not names:
        print(f"there is no {only}; there are {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    try:
        for name in names:
            print(f"==> {name}", file=sys.stderr, flush=True)
            rows += MEASUREMENTS[name]()
            keep(rows, whole=False)  # whatever becomes of the next
        keep(rows, whole=only is None)
    finally:
        print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
