"""What all clouds have."""

from __future__ import annotations

from prominence.imc.ports import Terms


class NamedCloud:
    """Of ports.Cloud what does not change."""

    def __init__(self, name: str, terms: Terms) -> None:
        self._name = name
        self._terms = terms

    @property
    def name(self) -> str:
        return self._name

    @property
    def terms(self) -> Terms:
        return self._terms
