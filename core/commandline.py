"""A command in one text, split into words as a shell would do it, but with nothing of it expanded or run. Pure.

The standard library's shlex.split gives the same words, in a time that grows with the square of a word's length: a
megabyte that somebody sends keeps it busy for minutes.
"""

from __future__ import annotations

import re

_PARTS = re.compile(
    r"""
      (?P<space> [ \t\r\n]+ )
    | (?P<plain> [^ \t\r\n'"\\]+ )
    | \\ (?P<escaped> . )
    | ' (?P<single> [^']* ) '
    | " (?P<double> [^"\\]* (?: \\. [^"\\]* )* ) "
    """,
    re.VERBOSE | re.DOTALL,
)
_PART = r"""(?:[^ \t\r\n'"\\\x00]|\\[^\x00]|'[^'\x00]*'|"(?:[^"\\\x00]|\\[^\x00])*")"""
PATTERN = rf"^[ \t\r\n]*{_PART}(?:[ \t\r\n]|{_PART})*$"
"""Of a command of at least one word that can be passed to a program."""

_IN_DOUBLE_QUOTES = re.compile(r'\\(["\\])')


def split(command: str) -> tuple[str, ...]:
    """The words. Raises ValueError when a quotation mark or a backslash has no end."""
    words: list[str] = []
    word: list[str] = []  # the parts of the one that has begun
    begun = False
    at = 0
    while at < len(command):
        found = _PARTS.match(command, at)
        if found is None:
            raise ValueError("no escaped character" if command[at] == "\\" else "no closing quotation")
        at, kind = found.end(), str(found.lastgroup)
        if kind != "space":
            word.append(_IN_DOUBLE_QUOTES.sub(r"\1", found[kind]) if kind == "double" else found[kind])
            begun = True
        elif begun:
            words.append("".join(word))
            word, begun = [], False
    return (*words, "".join(word)) if begun else tuple(words)
