"""Who has used how much of the pool, for those who may know."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from io import StringIO
from typing import Any

from prominence.core.errors import Forbidden, Rejected
from prominence.restapi import audit
from prominence.restapi.identity import Identity, oversees
from prominence.restapi.parameters.accounting import GroupedParameters, UsageParameters
from prominence.restapi.parameters.words.usage import Theirs
from prominence.restapi.services import Services
from prominence.restapi.usage import By, Key, Period, Sum, Whose

_OF_ONE_USER = (Key.USER, Key.LABEL, Key.WORKFLOW)

Rows = Sequence[tuple[tuple[str, ...], Sum]]
"""Names, one for each by which usage is told apart, and what was used."""


def usage(parameters: Mapping[str, list[str]], caller: Identity, services: Services) -> dict[str, Any]:
    """What the caller, their groups, or those whom they look after have used. Raises Rejected, Forbidden."""
    said = UsageParameters.read(parameters)
    period = _period(said.start, said.end)
    others = _others(said, caller)
    users: Mapping[str, Sum] = {}
    groups: Mapping[str, Sum] = {}
    if said.show_all_users or not said.by_group:
        users = services.usage.by_user(period, caller.user, others)
    if said.by_group:
        groups = services.usage.by_group(period, None if others is None else others.union(caller.groups))
    return {"usage": {"users": _shown(users), "groups": _shown(groups)}}


def grouped(said: GroupedParameters, caller: Identity, services: Services) -> Rows:
    """The same told apart, the rows in order. Raises Rejected, Forbidden."""
    found = services.usage.grouped(said.by, _period(said.start, said.end), _whose(said, caller))
    return sorted(found.items())


def as_document(by: Sequence[By], rows: Rows) -> dict[str, Any]:
    """As JSON has it."""
    return {"by": list(map(str, by)), "rows": [{"of": list(names), **sums.shown_in_full()} for names, sums in rows]}


def as_csv(by: Sequence[By], rows: Rows) -> str:
    """With a line of headings."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow([*map(str, by), *Sum().shown_in_full()])
    for names, sums in rows:
        writer.writerow([*map(_no_formula, names), *sums.shown_in_full().values()])
    return text.getvalue()


def _no_formula(name: str) -> str:
    """Spreadsheets reckon with what begins like this, even if it is somebody's name."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name


def _whose(said: GroupedParameters, caller: Identity) -> Whose:
    match said.of:
        case Theirs.ME:
            return Whose(caller.user)
        case Theirs.GROUPS:
            if private := [str(one) for one in said.by if one.key in _OF_ONE_USER]:
                raise Forbidden(
                    f"Of a group its members see the sums, not what is told by {', '.join(private)}; its managers do, "
                    "with of=all."
                )
            return Whose(groups=frozenset(caller.groups))
        case Theirs.ALL:
            others = _overseen(caller)
            return Whose(groups=None) if others is None else Whose(caller.user, others)


def _period(start: date, end: date) -> Period:
    if end < start:
        raise Rejected.because("must not be before start", "end")
    return Period.of_days(start, end)


def _others(said: UsageParameters, caller: Identity) -> frozenset[str] | None:
    """The groups whose users are shown besides; None for everybody."""
    return _overseen(caller) if said.show_all_users else frozenset()


def _overseen(caller: Identity) -> frozenset[str] | None:
    others = oversees(caller)
    if others == frozenset():
        raise Forbidden("Only operators and managers of a group may see what others have used.")
    audit.record("see usage", caller, groups="all" if others is None else sorted(others))
    return others


def _shown(sums: Mapping[str, Sum]) -> dict[str, Any]:
    return {name: sums[name].shown() for name in sorted(sums)}
