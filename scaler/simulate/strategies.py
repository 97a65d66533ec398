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

OURS, PATIENT = "ours", "ours-patient"
PATIENCE_S = 900.0
"""Of ours-patient, unless the policy has patience itself."""

PEERS: Mapping[str, Callable[[Load], Strategy]] = {
    made.name: made for made in (PerJob, Ceiling, Feedback, FirstFit, Consolidating, Shortfall)
}

NAMES = (OURS, PATIENT, *PEERS)


def strategy(name: str, load: Load, policy: Policy, interval_s: float) -> Strategy:
    """A new one, which has seen nothing yet. policy, interval_s: of ours."""
    if name == PATIENT:
        policy = policy.model_copy(update={"patience_s": policy.patience_s or PATIENCE_S})
    return Ours(policy, interval_s, name) if name in (OURS, PATIENT) else PEERS[name](load)
