"""Requirements in parts: what holds together when each part of it does, and what each part is about. Pure.

Of the text no more is understood than where a part ends and which names are in it; what it means HTCondor's own library
says. What cannot be told apart stays whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from prominence.core.classads import GPUS_CAPABILITY, GPUS_MEMORY, MARKET, RUNTIMES, STORAGE

LONGEST = 10_000
"""Characters. The library reads deeper and deeper."""

_REMEMBERED = 4096
_OPEN, _CLOSE = "([{", ")]}"
_TEXT = re.compile(r'"(?:\\.|[^"\\])*"')
_QUOTED = re.compile(r"'(?:\\.|[^'\\])*'")
_NAME = re.compile(r"(?<![\w.])(?:(my|target)\s*\.\s*)?([a-z_]\w*)\b(?!\s*\()", re.IGNORECASE)
_WORDS = frozenset({"true", "false", "undefined", "error", "is", "isnt", "my", "target", "parent"})
_LOWER_THAN_AND = re.compile(r"\|\||(?<!=)\?(?!=)|\?:")
_OF_SIZE = re.compile(r"\(*\s*TARGET\.(Cpus|Memory|Disk|GPUs)\s*>=\s*(?:MY\.)?Request\1\s*\)*", re.IGNORECASE)

_STORAGE = re.compile(rf'stringListMember\("(\w+)",\s*TARGET\.{STORAGE}\)', re.IGNORECASE)
_RUNTIME = re.compile(rf'stringListMember\("(\w+)",\s*TARGET\.{RUNTIMES}\)', re.IGNORECASE)
_ARCHITECTURE = re.compile(r'\(*\s*TARGET\.Arch\s*==\s*"(\w+)"\s*\)*', re.IGNORECASE)
_MARKET = re.compile(rf'TARGET\.{MARKET}\s*(=!=|isnt)\s*"spot"', re.IGNORECASE)
_GPUS = "availablegpus"
_LONGEST_TOLD = 200


class Names(NamedTuple):
    """In lower case. either: of the job if it has it, else of the machine."""

    of_job: frozenset[str]
    of_machine: frozenset[str]
    either: frozenset[str]


@lru_cache(maxsize=_REMEMBERED)
def clauses(expression: str) -> tuple[str, ...]:
    """Of an expression that is true when, and only when, all of them are."""
    found, waiting = [], [expression]
    while waiting:
        text = _bare(waiting.pop())
        parts = _parts(text)
        if len(parts) == 1:
            found.append(text)
        else:
            waiting.extend(reversed(parts))
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=_REMEMBERED)
def names(clause: str) -> Names:
    """Attributes that it mentions."""
    found: dict[str, set[str]] = {"my": set(), "target": set(), "": set()}
    for match in _NAME.finditer(_QUOTED.sub(" ", _TEXT.sub(" ", clause))):
        scope, name = (match[1] or "").lower(), match[2].lower()
        if name not in _WORDS:
            found[scope].add(name)
    return Names(frozenset(found["my"]), frozenset(found["target"]), frozenset(found[""]))


def is_of_size(clause: str) -> bool:
    """Whether it says no more than that the machine has what the job asks for, which is reckoned with anyway."""
    return _OF_SIZE.fullmatch(clause) is not None


def told(clause: str, job: Mapping[str, str]) -> str:
    """For people: what it requires. job: attributes of the job by name in lower case."""
    if match := _STORAGE.search(clause):
        return f"storage of type {match[1]}"
    if runtimes := _RUNTIME.findall(clause):
        return f"the runtime {' or '.join(dict.fromkeys(runtimes))}"
    if match := _ARCHITECTURE.fullmatch(clause):
        return f"the architecture {match[1]}"
    if _MARKET.search(clause):
        return "machines that no cloud takes away"
    if _GPUS in clause.lower():
        memory, capability = (_number(job.get(name.lower(), "")) for name in (GPUS_MEMORY, GPUS_CAPABILITY))
        least = [f"{memory:g} MiB of memory"] if memory else []
        least += [f"compute capability {capability:g}"] if capability else []
        return f"GPUs with {' and '.join(least) or 'what it says'}"
    return _shortened(clause)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}..."


def _bare(text: str) -> str:
    """Without parentheses around all of it."""
    text = text.strip()
    while text.startswith("(") and _end(text) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _end(text: str) -> int:
    """Where the parenthesis closes with which the text begins; -1: nowhere."""
    depth = 0
    for place, character in _outside_of_texts(text):
        depth += (character in _OPEN) - (character in _CLOSE)
        if depth == 0:
            return place
    return -1


def _parts(text: str) -> list[str]:
    """Between the `&&` that stand in no parentheses, where nothing else does that binds less."""
    depth, plain = 0, [" "] * len(text)
    for place, character in _outside_of_texts(text):
        depth -= character in _CLOSE
        if depth == 0:
            plain[place] = character
        depth += character in _OPEN
    outer = "".join(plain)
    if depth or _LOWER_THAN_AND.search(outer.replace("=?=", "===")):
        return [text]
    ends = [match.start() for match in re.finditer("&&", outer)]
    begins = [0, *(end + 2 for end in ends)]
    return [text[begin:end] for begin, end in zip(begins, [*ends, len(text)], strict=True)]


def _outside_of_texts(text: str) -> Iterator[tuple[int, str]]:
    """Characters with their places, without those of texts and quoted names."""
    quote, escaped = "", False
    for place, character in enumerate(text):
        if quote:
            if not escaped and character == quote:
                quote = ""
            escaped = character == "\\" and not escaped
        elif character in "\"'":
            quote = character
        else:
            yield place, character
