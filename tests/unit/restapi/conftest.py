"""Each test has an application of its own, and making one costs mostly what werkzeug makes of its addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.routing import Rule


@pytest.fixture(autouse=True, scope="session")
def addresses_are_worked_out_once() -> Iterator[None]:
    """What builds an address depends on the rule's text alone, as long as no rule has defaults or converters."""
    known: dict[tuple[str, bool], Callable[..., Any]] = {}
    work_out: Callable[[Rule, bool], Callable[..., Any]] = Rule._compile_builder

    def worked_out(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
        key = (rule.rule, append_unknown)
        if key not in known:
            known[key] = work_out(rule, append_unknown)
        return known[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Rule, "_compile_builder", worked_out)
        yield
