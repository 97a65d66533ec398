"""What waits for the end of a job. Pure.

A workflow, and each of its jobs, has the same uid in all of its runs: of these each has a letter of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import AwareDatetime

from prominence.core.validation import Document

_AFTER = "@"


class Waiting(Document):
    """Somebody is to be told that a job has ended. after: the number that it had in the run before, of which nothing
    is told.
    """

    made_at: AwareDatetime
    after: int = 0


def key_of(uid: str, letter: Waiting) -> str:
    """By which the letter about the job, or the workflow, with this uid is kept."""
    return f"{uid}{_AFTER}{letter.after}" if letter.after else uid


def uid_of(key: str) -> str:
    """Of the job, or the workflow, that the letter with this key is about."""
    return key.partition(_AFTER)[0]


def about(number: int, letters: Mapping[str, Waiting]) -> str | None:
    """The key of the letter about the job with this number; None where there is none. letters: all with its uid."""
    fitting = [key for key, letter in letters.items() if letter.after < number]
    return max(fitting, key=lambda key: letters[key].after, default=None)
