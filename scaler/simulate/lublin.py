"""The workload model of Lublin and Feitelson, with its published parameters for batch jobs.

U. Lublin and D. G. Feitelson, "The workload on parallel supercomputers: modeling the characteristics of rigid jobs",
Journal of Parallel and Distributed Computing 63(11), 2003, pages 1105-1122. Processors: one, or two to the power of a
two-stage uniform variable, mostly rounded. Run time: e to the power of a hyper-gamma variable whose mix depends on the
processors. Arrivals: e to the power of a gamma variable, on a clock that goes faster in the busy hours of a day.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from scipy.stats import gamma

from prominence.scaler.simulate.load import DAY_S

SERIAL, POWER_OF_TWO = 0.2927, 0.6686
LOWEST, MIDDLE, HIGHEST, PROBABLY_LOW = 1.2, 5.0, 7.0, 0.875
"""Of processors: probability of one, of a power of two; logarithms to base 2 of the bounds of the two stages."""

SHORT, LONG = (6.57, 0.823), (639.1, 0.0156)
SLOPE, AT_NONE = -0.003, 0.6986
LONGEST = 12.0
"""Of run times: shape and scale of both gammas; probability of the first, by processors; the largest logarithm."""

GAP, RUSH_TO_ALL, LONGEST_GAP = (6.0415, 0.8531), 1.0519, 13.0
DAY, SLICES, DAY_BEGINS = (6.1271, 5.2740), 48, 11
"""Of arrivals: the gamma of the gaps' logarithms; how jobs are spread over the half hours of a day from 05:30."""


@dataclass(frozen=True)
class Rigid:
    """A job of the model."""

    submitted_s: float
    runtime_s: float
    processors: int


def jobs(chance: Random, until_s: float, rate: float = 1.0) -> Iterator[Rigid]:
    """Jobs of the model. rate: so many times more often than on the machines that it was fitted to."""
    for submitted_s in arrivals(chance, until_s, rate):
        count = processors(chance)
        yield Rigid(submitted_s, runtime_s(chance, count), count)


def processors(chance: Random) -> int:
    """Of one job."""
    kind = chance.random()
    if kind <= SERIAL:
        return 1
    low, high = (LOWEST, MIDDLE) if chance.random() <= PROBABLY_LOW else (MIDDLE, HIGHEST)
    power = chance.uniform(low, high)
    return round(2 ** (round(power) if kind <= SERIAL + POWER_OF_TWO else power))


def runtime_s(chance: Random, count: int) -> float:
    """Of one job on so many processors."""
    probability = min(1.0, max(0.0, SLOPE * count + AT_NONE))
    while True:
        shape, scale = SHORT if chance.random() <= probability else LONG
        logarithm = chance.gammavariate(shape, scale)
        if logarithm <= LONGEST:
            return math.exp(logarithm)


def arrivals(chance: Random, until_s: float, rate: float = 1.0) -> Iterator[float]:
    """Seconds since midnight, ascending."""
    weights = day()
    slice_s = DAY_S / SLICES
    now_s = 0.0
    while True:
        # The gap is paid slice by slice: in a busy one a second of the clock is worth more.
        gap = _gap(chance) / rate
        while True:
            number = int(now_s // slice_s)
            weight = weights[number % SLICES]
            left_s = (number + 1) * slice_s - now_s
            if left_s * weight > gap:
                now_s += gap / weight
                break
            gap -= left_s * weight
            now_s += left_s
            if now_s >= until_s:
                return
        if now_s >= until_s:
            return
        yield now_s


def day() -> tuple[float, ...]:
    """How busy each half hour from midnight is, 1 on average."""
    weights = [0.0] * SLICES
    shape, scale = DAY
    for number in range(DAY_BEGINS, DAY_BEGINS + SLICES):
        at_end, at_begin = (gamma.cdf(number + half, shape, scale=scale) for half in (0.5, -0.5))
        weights[(number - 1) % SLICES] = float(at_end - at_begin)
    mean = sum(weights) / SLICES
    return tuple(weight / mean for weight in weights)


def _gap(chance: Random) -> float:
    shape, scale = GAP
    while True:
        logarithm = chance.gammavariate(shape * RUSH_TO_ALL, scale)
        if logarithm <= LONGEST_GAP:
            return math.exp(logarithm)
