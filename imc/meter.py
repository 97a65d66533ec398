"""Who counts what imc does. This one counts nothing; `adapters.prometheus` tells Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

from prominence.core.machines import CloudStatus, Worker


class Meter:
    """No verb raises."""

    def round(self) -> AbstractContextManager[None]:
        """Around each round."""
        return nullcontext()

    def leads(self, it_does: bool) -> None:
        """Whether this imc leads."""

    def seen(self, clouds: Sequence[CloudStatus], workers: Iterable[Worker]) -> None:
        """This is so at the beginning of a round."""

    def acted(self, act: str, error: BaseException | None) -> None:
        """A step that reaches outside has ended. error: why in vain."""

    def joined(self, cloud: str, seconds: float) -> None:
        """A worker has joined the pool, so long after its machine was there."""

    def wasted(self, cloud: str) -> None:
        """A machine was given up before it had joined."""

    def configured(self, is_valid: bool) -> None:
        """The settings were read anew, and taken over or not."""
