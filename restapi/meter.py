"""Who counts what the API is asked. This one counts nothing; `adapters.prometheus` tells Prometheus."""

from __future__ import annotations


class Meter:
    """No verb raises."""

    def answered(self, method: str, address: str, status: int, seconds: float) -> None:
        """A request was answered. address: the rule that it met, "" for none of ours. seconds: until the answer began,
        since a stream may go on for hours.
        """
