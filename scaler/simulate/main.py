"""The command: a load, a strategy or all of them, a table."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence

from prominence.core.errors import Rejected
from prominence.scaler.simulate import report
from prominence.scaler.simulate.bound import cost_bound
from prominence.scaler.simulate.options import load, options, policy, strategies
from prominence.scaler.simulate.plot import plot
from prominence.scaler.simulate.run import simulate
from prominence.scaler.simulate.strategies import strategy


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 2 for what cannot be simulated."""
    try:
        chosen = options(arguments)
        seed = secrets.randbelow(1_000_000) if chosen.seed is None else chosen.seed
        loads = [load(name, seed, chosen.runtime, chosen.hours) for name in chosen.load or ("day",)]
        rules = {one.name: policy(chosen.policy, sum(cloud.limit for cloud in one.clouds)) for one in loads}
    except Rejected as error:
        return _told(error)
    for one in loads:
        bound = cost_bound(one)
        outcomes = [
            simulate(one, strategy(name, one, rules[one.name], chosen.interval), seed) for name in strategies(chosen)
        ]
        if chosen.json:
            print(report.as_json(one, seed, bound, outcomes), flush=True)
        else:
            print(report.heading(one, seed, bound), report.table(outcomes, bound), sep="\n\n", end="\n\n", flush=True)
        if chosen.plot:
            try:
                plot(report.heading(one, seed, bound), outcomes, chosen.plot)
            except Rejected as error:
                return _told(error)
    return 0


def _told(error: Rejected) -> int:
    for mistake in error.mistakes:
        print(f"simulate: {mistake}", file=sys.stderr)
    return 2
