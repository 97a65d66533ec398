"""What is told of workers: what they have, and what is free."""

from __future__ import annotations

from typing_extensions import TypedDict

from prominence.restapi.answers.words import NonNegative


class AmountShown(TypedDict):
    """Memory and disk in GB."""

    cpus: int
    memory: NonNegative
    disk: NonNegative
    gpus: int


class WorkerShown(TypedDict):
    """A worker; `free` of its `capacity` is nobody's at the moment."""

    capacity: AmountShown
    free: AmountShown
    site: str


class Workers(TypedDict):
    """Those with most free cores first."""

    existing: list[WorkerShown]
