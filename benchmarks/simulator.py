"""What the scaler's own rule costs on the shipped loads, beside the rules of other scalers, in the simulator.

simulator.LOAD.cost: the cost in multiples of the bound; the baseline is that of the cheapest of the others on the same
jobs, however long jobs wait with it, and the goal holds where that is above 1.15. simulator.LOAD.beaten: on how many of
the seeds one of the others was better in both mean wait and cost. simulator.LOAD.patient.cost and .patient.beaten: the
same of our rule with patience. The seeds are new each time.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from random import Random

from benchmarks.harness import Goal, Row, figure, in_pairs
from prominence.scaler.simulate.bound import cost_bound
from prominence.scaler.simulate.loads import LOADS
from prominence.scaler.simulate.options import policy
from prominence.scaler.simulate.outcome import Outcome
from prominence.scaler.simulate.run import simulate
from prominence.scaler.simulate.strategies import NAMES, OURS, PATIENT, PEERS, strategy

SEEDS = 3
INTERVAL_S = 5.0
CLOSE = 1.15
"""Where the cheapest of the others is as near to the bound as that, there is nothing to gain."""

LESS = 0.9


def of_load(name: str) -> list[Row]:
    """The rows of one load."""
    seeds = [secrets.randbelow(1_000_000) for _ in range(SEEDS)]
    with ProcessPoolExecutor() as processes:
        found = list(processes.map(_outcomes, [name] * SEEDS, seeds))
    return [*_of_rule(OURS, f"simulator.{name}", found), *_of_rule(PATIENT, f"simulator.{name}.patient", found)]


def _of_rule(rule: str, row: str, found: Sequence[tuple[float, dict[str, Outcome]]]) -> list[Row]:
    """Of one of ours, beside the rules of others."""
    pairs, beaten = [], 0
    for bound, outcomes in found:
        ours = outcomes[rule]
        others = [outcomes[peer] for peer in PEERS if not outcomes[peer].not_run]
        pairs.append((min(other.cost for other in others) / bound, ours.cost / bound))
        beaten += any(other.mean_wait_s < ours.mean_wait_s and other.cost < ours.cost for other in others)
    goal = Goal(ratio=LESS) if all(cheapest > CLOSE for cheapest, _ in pairs) else None
    return [
        replace(in_pairs(f"{row}.cost", pairs, goal), unit="bound"),
        replace(figure(f"{row}.beaten", [float(beaten)], Goal(figure=0)), unit="seeds", runs=SEEDS),
    ]


def _outcomes(name: str, seed: int) -> tuple[float, dict[str, Outcome]]:
    load = LOADS[name](Random(seed))
    rules = policy(None, sum(cloud.limit for cloud in load.clouds))
    return cost_bound(load), {
        rule: replace(simulate(load, strategy(rule, load, rules, INTERVAL_S), seed), samples=()) for rule in NAMES
    }


MEASUREMENTS: dict[str, Callable[[], list[Row]]] = {f"simulator.{name}": partial(of_load, name) for name in LOADS}
