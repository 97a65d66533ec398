"""How fast the scaler decides, and what its machines cost beside the least that is possible.

scaler.decide.*: seconds of one call of `decide` for so many idle jobs, on 20 clouds with 50 flavours each, with 5,000
workers there; .few: only five machines may be ordered, so that nearly all jobs are told why there is none for them;
.patient: they came a minute ago, and there is patience. scaler.cost.*: the cost of the machines that the same function,
with the same limits of its steps, orders for 100,000 jobs of 300 kinds in an empty pool, beside a lower bound
(`scaler_bound`): the baseline. All of it is made anew from a seed that changes with each run; the figures are medians.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from datetime import timedelta

from benchmarks import scaler_load
from benchmarks.harness import Goal, Row, figure, in_pairs
from benchmarks.scaler_bound import least_cost
from prominence.scaler.decide import decide
from prominence.scaler.policy import Policy
from prominence.scaler.waits import seen

QUEUES = {"1k": (1_000, 30), "10k": (10_000, 100), "100k": (100_000, 300), "1m": (1_000_000, 3_000)}
GOALS = {"100k": Goal(figure=0.1), "1m": Goal(figure=1.0)}
CLOUDS, FLAVOURS, WORKERS = 20, 50, 5_000
CALLS, PLANS = 7, 3
POLICY = Policy(max_workers=10**7, creations_per_round=10**7)
FEW, PATIENT = POLICY.model_copy(update={"creations_per_round": 5}), POLICY.model_copy(update={"patience_s": 900.0})
AGO = timedelta(minutes=1)
COST_GOALS = {1: Goal(ratio=1.02), 50: Goal(ratio=1.03)}


def of_size(name: str, policy: Policy = POLICY, kind: str = "") -> list[Row]:
    """Seconds for a queue of this size, of jobs of all mixes."""
    jobs, kinds = QUEUES[name]
    seconds = []
    for _ in range(CALLS + 1):
        chance = random.Random(random.random())
        clouds = scaler_load.clouds(chance, CLOUDS, FLAVOURS)
        demand = scaler_load.queue(chance, "memory", jobs, kinds)
        snapshot = scaler_load.snapshot(demand, clouds, scaler_load.pool(chance, clouds, WORKERS))
        waits = seen(demand, None, scaler_load.NOW - AGO, policy.patience)
        snapshot = snapshot.model_copy(update={"seen_waits": waits})
        gc.collect()  # what making the load has left behind is no part of the call
        began = time.perf_counter()
        plan = decide(snapshot, policy, scaler_load.NOW, scaler_load.names())
        seconds.append(time.perf_counter() - began)
        assert plan.explanations
    return [figure(f"scaler.decide.{name}{kind}", seconds[1:], GOALS.get(name + kind))]


def of_mix(mix: str, flavours: int) -> list[Row]:
    """What machines for this mix cost."""
    pairs = []
    for _ in range(PLANS):
        chance = random.Random(random.random())
        clouds = scaler_load.clouds(chance, 1, flavours)
        demand = scaler_load.queue(chance, mix, *QUEUES["100k"])
        plan = decide(scaler_load.snapshot(demand, clouds, ([], [])), POLICY, scaler_load.NOW, scaler_load.names())
        price = {flavour.name: flavour.price for flavour in clouds[0].flavours}
        cost = sum(price[action.flavour] for action in plan.actions)
        pairs.append((least_cost(demand, clouds[0].flavours), cost))
    return [in_pairs(f"scaler.cost.{mix}.{flavours}", pairs, COST_GOALS[flavours], unit="price/h")]


def _size(name: str, policy: Policy = POLICY, kind: str = "") -> Callable[[], list[Row]]:
    return lambda: of_size(name, policy, kind)


def _mix(mix: str, flavours: int) -> Callable[[], list[Row]]:
    return lambda: of_mix(mix, flavours)


MEASUREMENTS = {
    **{f"scaler.decide.{name}": _size(name) for name in QUEUES},
    "scaler.decide.100k.few": _size("100k", FEW, ".few"),
    "scaler.decide.100k.patient": _size("100k", PATIENT, ".patient"),
} | {f"scaler.cost.{mix}.{flavours}": _mix(mix, flavours) for mix in scaler_load.MIXES for flavours in COST_GOALS}
