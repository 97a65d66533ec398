"""All strategies by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prominence.scaler.policy import Policy
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.peers.ceiling import Ceiling
from prominence.scaler.simulate.peers.consolidation import Consolidating
from prominence.scaler.simulate.peers.feedback import Feedback
from prominence.scaler.simulate.peers.first_fit import FirstFit
from prominence.scaler.simulate.peers.per_job import PerJob
from prominence.scaler.simulate.peers.shortfall import Shortfall
from prominence.scaler.simulate.strategy import Ours, Strategy

OURS = Ours.name

PEERS: Mapping[str, Callable[[Load], Strategy]] = {
    made.name: made for made in (PerJob, Ceiling, Feedback, FirstFit, Consolidating, Shortfall)
}

NAMES = (OURS, *PEERS)


def strategy(name: str, load: Load, policy: Policy, interval_s: float) -> Strategy:
    """A new one, which has seen nothing yet. policy, interval_s: of ours."""
    return Ours(policy, interval_s) if name == OURS else PEERS[name](load)
