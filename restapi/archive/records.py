"""HTCondor's history and log of events, as text, into ads and events. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import classad2

from prominence.core import classads
from prominence.core.jobid import JobId
from prominence.core.view import ATTRIBUTES
from prominence.restapi import booking

_BANNER = b"*** "
_WANTED = frozenset(name.lower() for name in (*ATTRIBUTES, *booking.ATTRIBUTES, classads.JOB_TYPE))
_LABEL = classads.LABEL_PREFIX.lower()
_EVENT = re.compile(rb"^\{\n(?:(?!\{\n).*\n)*?\}\n", re.MULTILINE)


def whole_ads(content: bytes) -> int:
    """How many bytes are whole records of a history: each ends with a line of its own."""
    start = content.rfind(b"\n" + _BANNER)
    end = content.find(b"\n", start + 1) if start >= 0 else -1
    if start >= 0 and end < 0:  # the last one's line is not there as a whole; the one before it is
        start = content.rfind(b"\n" + _BANNER, 0, start)
        end = content.find(b"\n", start + 1) if start >= 0 else -1
    return end + 1


def ads(content: bytes) -> Iterator[Any]:
    """The ClassAds in whole records of a history, of jobs or of attempts, with what we know of those."""
    lines: list[str] = []
    # Python knows more ends of lines than HTCondor, which writes texts of workers as they are.
    for line in content.decode("utf-8", "replace").split("\n"):
        if not line.startswith("*** "):
            if _is_wanted(line):
                lines.append(line)
            continue
        ad = classad2.parseOne("\n".join(lines))  # of what it does not understand an empty one
        lines = []
        if classads.CLUSTER_ID in ad and classads.JOB_STATUS in ad:
            yield ad


def labels(ad: Any) -> dict[str, str]:
    """The labels in an ad, by the names that HTCondor has for them."""
    found = ((name[len(_LABEL) :], ad.eval(name)) for name in ad if name.lower().startswith(_LABEL))
    return {key: classads.original(value) for key, value in found if isinstance(value, str)}


@dataclass(frozen=True)
class Event:
    """Something that happened to a job. kind: HTCondor's word, such as ExecuteEvent. at: Unix epoch.

    job_id: by which its attempts are kept.
    """

    kind: str
    job_id: int
    at: float
    facts: Mapping[str, Any]


def key_of_attempts(job_id: int) -> int:
    """An event does not tell whether its process is a member of an array: the first is kept as a job of its own is."""
    one = JobId(job_id)
    return int(one) if one.index else one.cluster


def whole_events(content: bytes) -> int:
    """How many bytes are whole events."""
    return content.rfind(b"\n}\n") + 3 if b"\n}\n" in content else 0


def events(content: bytes) -> Iterator[Event]:
    """The events in a log of JSON objects, one after the other; what is none is passed over."""
    for found in _EVENT.finditer(content):
        event = _event(found.group())
        if event is not None:
            yield event


def _is_wanted(line: str) -> bool:
    name = line.partition(" = ")[0].lower()
    return name in _WANTED or name.startswith(_LABEL)


def _event(text: bytes) -> Event | None:
    try:
        match json.loads(text):
            case {
                "MyType": str(kind),
                "Cluster": int(cluster),
                "Proc": int(process),
                "EventTime": str(moment),
            } as facts:
                job_id = key_of_attempts(JobId.member(cluster, process))
                return Event(kind, job_id, datetime.fromisoformat(moment).timestamp(), facts)
    except (ValueError, RecursionError):
        pass
    return None
