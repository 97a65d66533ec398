"""Which runtime runs a task."""

from __future__ import annotations

from typing import Collection, Mapping, Sequence, Tuple


def candidates(wanted: Sequence[str], present: Collection[str]) -> Tuple[str, ...]:
    """The acceptable runtimes that the worker has, in the plan's order."""
    return tuple(name for name in wanted if name in present)


def why_none(wanted: Sequence[str], present: Collection[str]) -> str:
    """For people, when there is no candidate."""
    has = ", ".join(sorted(present)) or "none that works"
    return f"it asks for {' or '.join(wanted)}, and the worker has {has}"


def why_not_fetched(refusals: Mapping[str, str]) -> str:
    """For people, when every candidate refused: each one's words, or the words once where they all agree."""
    if len(set(refusals.values())) == 1:
        return next(iter(refusals.values()))
    return "; ".join(f"{name}: {words}" for name, words in refusals.items())
