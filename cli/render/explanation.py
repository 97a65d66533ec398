"""Why a job is where it is: one fact per line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prominence.cli import view
from prominence.cli.render.pool import part_with_age
from prominence.cli.render.table import table
from prominence.cli.render.text import clean, field, plain, utc

_WHO = {"nobody": "nobody; it passes", "user": "you", "platform": "the operator", "provider": "the cloud's provider"}
"""Who has to act, by the API's word."""


def explanation(found: Mapping[str, Any]) -> str:
    """As people read it."""
    return "\n".join(field(name, value) for name, value in _facts(found) if value)


def table_of_waiting(nodes: Iterable[Mapping[str, Any]]) -> str:
    """A row for all instances of a workflow's job that wait for the same."""
    alike = Counter((view.text(one, "job"), view.status(one), view.reason(one)) for one in nodes)
    rows = ([clean(job), plain(count), clean(status), clean(why)] for (job, status, why), count in alike.items())
    return table(["JOB", "INSTANCES", "STATUS", "WHY"], rows)


def _facts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Job", plain(found.get("id"))
    yield "Status", clean(view.status(found))
    yield "Why", clean(view.text(found, "explanation"))
    yield "Reason", clean(view.text(found, "reasonCode"))
    blame = view.text(found, "blame")
    yield "Who has to act", clean(_WHO.get(blame, blame))
    yield "What to do", clean(view.text(found, "advice"))
    yield "Place", _place(view.mapping(found, "position"))
    yield "Start", start(view.mapping(found, "start"))
    yield "Not seen", ", ".join(map(part_with_age, view.mappings(found, "unseen")))
    yield "As of", utc(view.number(found, "asOf"))


def _place(position: Mapping[str, Any]) -> str:
    if not position:
        return ""
    place, of, waiting = (plain(position.get(name)) for name in ("place", "of", "waiting"))
    return f"{place} of {of} like it; {waiting} wait in the pool"


def start(told: Mapping[str, Any]) -> str:
    """When the job may start, and what that was reckoned from."""
    if not told:
        return ""
    earliest, latest = (utc(view.number(told, name)) for name in ("earliest", "latest"))
    if earliest and latest:
        moment = f"between {earliest} and {latest}"
    elif earliest or latest:
        moment = f"not before {earliest}" if earliest else f"until {latest}"
    else:
        moment = "unknown"
    basis = clean(view.text(told, "basis"))
    return f"{moment}: {basis}" if basis else moment
