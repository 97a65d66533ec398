"""A blueprint whose operations are described where their routes are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from prominence.core.errors import ProminenceError
from prominence.restapi.identity import Scope
from prominence.restapi.operations import Access, Answer, Content, Operation
from prominence.restapi.parameters.model import Parameters

Route = Callable[..., ResponseReturnValue]


class Noun(Blueprint):
    """All operations about one thing. about: its name for readers of the description, if it is another."""

    def __init__(self, name: str, about: str = "") -> None:
        super().__init__(name, __name__)
        self.about = about or name
        self.operations: list[Operation] = []

    def serves(
        self,
        label: str,
        summary: str,
        access: Scope | Access,
        answers: Mapping[int, Answer],
        *,
        parameters: type[Parameters] | None = None,
        headers: Mapping[str, Mapping[str, Any]] | None = None,
        body: Content | None = None,
        refuses: tuple[type[ProminenceError], ...] = (),
    ) -> Callable[[Route], Route]:
        """Marks the function that answers an operation, such as "GET /jobs". The rest is as in `Operation`."""

        def mark(function: Route) -> Route:
            method, rule = label.split()
            about = (function.__name__, self.about, summary, access, answers, parameters, headers or {}, body, refuses)
            self.operations.append(Operation(method, rule, *about))
            self.add_url_rule(rule, function.__name__, function, methods=[method])
            return function

        return mark
