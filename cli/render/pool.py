"""The pool as a whole: a few facts, what jobs wait for, and what clouds offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prominence.cli import view
from prominence.cli.render.table import table
from prominence.cli.render.text import clean, field, plain, utc

_AMOUNTS = (("cpus", "cores"), ("memory", "GB memory"), ("disk", "GB disk"), ("gpus", "GPUs"))


def description_of_pool(found: Mapping[str, Any], wide: bool) -> str:
    """As people read it. wide: with what the scaler did last, and how long workers take to start."""
    parts = ["\n".join(field(name, value) for name, value in _facts(found) if value)]
    waiting = view.mapping(found, "waiting")
    if reasons := view.mappings(waiting, "reasons"):
        rows = (
            [clean(view.text(one, "reasonCode")), plain(one.get("jobs")), plain(one.get("yours"))] for one in reasons
        )
        parts.append(table(["WAIT FOR", "JOBS", "YOURS"], rows))
    if flavours := list(_flavours(found, wide)):
        more = ["PRICE", "WALLTIME", "STARTS IN"] if wide else []
        parts.append(table(["CLOUD", "FLAVOUR", "REGION", "CPUS", "MEMORY", "DISK", "GPUS", *more], flavours))
    if wide and (actions := view.mappings(found, "actions")):
        names = ("act", "worker", "cloud", "flavour", "reason")
        parts.append(
            table([name.upper() for name in names], ([clean(view.text(a, n)) for n in names] for a in actions))
        )
    return "\n\n".join(parts)


def _facts(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "As of", utc(view.number(found, "asOf")) or "never"
    yield "Trouble", clean(view.text(found, "trouble"))
    unseen = (part for part in view.mappings(found, "parts") if part.get("seen") is not True)
    yield "Not seen", ", ".join(map(part_with_age, unseen))
    waiting = view.mapping(found, "waiting")
    yield (
        "Waiting",
        f"{plain(waiting.get('jobs'))} jobs, {plain(waiting.get('yours'))} of them yours" if waiting else "",
    )
    yield "Workers", _workers(found)
    yield "Free", _room(view.mapping(found, "room"))
    for cloud in view.mappings(found, "clouds"):
        yield f"Cloud {clean(view.text(cloud, 'name'))}", _cloud(cloud)
    for note in found.get("notes") or () if isinstance(found.get("notes"), list) else ():
        yield "Note", plain(note)


def part_with_age(part: Mapping[str, Any]) -> str:
    """As in "collector (last at 2026-05-01 12:00:00)"."""
    last = utc(view.number(part, "readAt"))
    return clean(view.text(part, "part")) + (f" (last at {last})" if last else "")


def _workers(found: Mapping[str, Any]) -> str:
    if "workers" not in found:
        return ""
    phases = view.mappings(found, "workers")
    counts = [f"{plain(one.get('workers'))} {clean(view.text(one, 'phase'))}" for one in phases]
    limit = f"; {plain(found['limit'])} may exist" if "limit" in found else ""
    return (", ".join(counts) or "none") + limit


def _room(room: Mapping[str, Any]) -> str:
    free, capacity = view.mapping(room, "free"), view.mapping(room, "capacity")
    known = [(name, unit) for name, unit in _AMOUNTS if capacity.get(name)]
    return ", ".join(f"{plain(free.get(name))} of {plain(capacity.get(name))} {unit}" for name, unit in known)


def _cloud(cloud: Mapping[str, Any]) -> str:
    workers = plain(cloud["workers"]) if "workers" in cloud else "unknown"
    trouble, retry = clean(view.text(cloud, "trouble")), utc(view.number(cloud, "retryAt"))
    more = f"; {trouble}" + (f"; tried again at {retry}" if retry else "") if trouble else ""
    return f"{workers} of {plain(cloud.get('limit'))} workers{more}"


def _flavours(found: Mapping[str, Any], wide: bool) -> Iterator[list[str]]:
    for cloud in view.mappings(found, "clouds"):
        for one in view.mappings(cloud, "flavours"):
            size = view.mapping(one, "size")
            names = [
                clean(text) for text in (view.text(cloud, "name"), view.text(one, "name"), view.text(one, "region"))
            ]
            wide_ones = (plain(one.get("price")), plain(one.get("walltime")), _start(view.mapping(one, "start")))
            more = wide_ones if wide else ()
            yield [*names, *(plain(size.get(name)) for name, _ in _AMOUNTS), *more]


def _start(start: Mapping[str, Any]) -> str:
    least, most = (view.number(start, name) for name in ("least", "most"))
    return "" if least is None or most is None else f"{least:.0f} to {most:.0f} s"
