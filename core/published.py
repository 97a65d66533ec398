"""What the scaler publishes in the shared store, and how it is read: the latest snapshot and plan, as gzipped JSON.

The store takes no value beyond a limit. A document that is too large even so is published in part, and says that it
is: a pool that is too large to be described must still be scaled.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from prominence.core.errors import Rejected
from prominence.core.keyvalue.port import LARGEST_VALUE, KeyValue
from prominence.core.scaling import ScalingPlan
from prominence.core.snapshot import PoolSnapshot

PLAN_KEY = "/prominence/scaler/plan"
SNAPSHOT_KEY = "/prominence/scaler/snapshot"

Model = TypeVar("Model", bound=BaseModel)


class Packed(NamedTuple):
    """A document as it is stored. sha256: of all of it as JSON, also where it is stored in part."""

    value: bytes
    sha256: str


_TOO_LARGE = "too large to be published"


def read_plan(store: KeyValue) -> ScalingPlan | None:
    """The scaler's latest plan, or None. Raises Unavailable, and Rejected for one that this version cannot read."""
    entry = store.get(PLAN_KEY)
    return unpacked(ScalingPlan, entry.value) if entry else None


def read_snapshot(store: KeyValue) -> PoolSnapshot | None:
    """What the scaler last saw, or None. Raises as `read_plan` does."""
    entry = store.get(SNAPSHOT_KEY)
    return unpacked(PoolSnapshot, entry.value) if entry else None


def packed_plan(plan: ScalingPlan, largest: int = LARGEST_VALUE) -> bytes:
    """As it is stored: whole, or with as many of its explanations as go into `largest` bytes."""
    return _first_that_fits(_ever_shorter(plan), largest).value


def packed_snapshot(snapshot: PoolSnapshot, largest: int = LARGEST_VALUE) -> Packed:
    """As it is stored: whole, or without the parts that make it larger than `largest` bytes."""
    return _first_that_fits(_ever_emptier(snapshot), largest)


def unpacked(model: type[Model], value: bytes) -> Model:
    """The document that was stored. Raises Rejected."""
    try:
        return model.model_validate_json(gzip.decompress(value))
    except (OSError, EOFError, zlib.error, ValidationError) as error:
        raise Rejected.because(f"what is stored is no {model.__name__} of this version: {error}") from error


def _first_that_fits(documents: Iterable[BaseModel], largest: int) -> Packed:
    """The last one is small whatever the pool is like; should it not fit, the store says so."""
    packed, sha256 = b"", ""
    for document in documents:
        text = document.model_dump_json().encode()
        sha256 = sha256 or hashlib.sha256(text).hexdigest()
        # Written every round and read by few: speed is worth more than the last percent.
        packed = gzip.compress(text, compresslevel=1)
        if len(packed) <= largest:
            break
    return Packed(packed, sha256)


def _ever_shorter(plan: ScalingPlan) -> Iterator[ScalingPlan]:
    yield plan
    kept = plan.explanations
    while kept:
        kept = kept[: len(kept) // 2]
        note = f"{_TOO_LARGE}: only {len(kept)} of {len(plan.explanations)} explanations are"
        yield plan.model_copy(update={"explanations": kept, "notes": (*plan.notes, note)})
    yield ScalingPlan(
        made_at=plan.made_at, inputs=plan.inputs, notes=(f"{_TOO_LARGE}: {len(plan.actions)} actions and all else",)
    )


def _ever_emptier(snapshot: PoolSnapshot) -> Iterator[PoolSnapshot]:
    """What the next leader goes on from, the execute points' idle times, is given up last."""
    yield snapshot
    unknown = dict(snapshot.unknown)
    for part in ("demand", "workers", "clouds", "execute_points"):
        unknown[part] = _TOO_LARGE
        snapshot = snapshot.model_copy(update={part: None, "seen_waits": (), "unknown": dict(unknown)})
        yield snapshot
    yield PoolSnapshot(taken_at=snapshot.taken_at, unknown=unknown)
