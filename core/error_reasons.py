"""Why an API of ours did not do what it was asked: a stable word, a sentence, who is to blame and what to do.

The words are part of the APIs and never change their meaning. `core.errors` says which error is told by which of them.
Standard library only and Python 3.9: the executor carries this module.
"""

from __future__ import annotations

import enum

from prominence.core.reasons import Blame, Meaning


class ErrorReason(str, enum.Enum):
    """The stable words. Few: one for each thing that a program would do about it."""

    INVALID_REQUEST = "InvalidRequest"
    TOO_LARGE = "TooLarge"
    NO_SUCH_OPERATION = "NoSuchOperation"
    UNAUTHENTICATED = "Unauthenticated"
    FORBIDDEN = "Forbidden"
    NOT_FOUND = "NotFound"
    CONFLICT = "Conflict"
    BUDGET_EXCEEDED = "BudgetExceeded"
    QUOTA_REACHED = "QuotaReached"
    QUEUE_LIMIT = "QueueLimitReached"
    TOO_MANY_REQUESTS = "TooManyRequests"
    UNAVAILABLE = "Unavailable"
    NO_ROOM = "NoRoom"
    INTERNAL_ERROR = "InternalError"


PASSING = frozenset({ErrorReason.TOO_MANY_REQUESTS, ErrorReason.UNAVAILABLE, ErrorReason.NO_ROOM})
"""The same request may be granted later without its user having done anything."""

ERROR_MEANINGS = {
    ErrorReason.INVALID_REQUEST: Meaning(
        "The request, or the document in it, is wrong; the sentence names all mistakes, each with its place.",
        Blame.USER,
        "Put them right. The same request is refused again.",
    ),
    ErrorReason.TOO_LARGE: Meaning(
        "The request, or the object, has more bytes than are taken at once.", Blame.USER, "Send less, or in parts."
    ),
    ErrorReason.NO_SUCH_OPERATION: Meaning(
        "The API has nothing at this address, or not for this method.",
        Blame.USER,
        "Check the address. A service may also be older than the client that asks.",
    ),
    ErrorReason.UNAUTHENTICATED: Meaning(
        "There is no token, or none that is good any more.", Blame.USER, "Log in again, or take a new token."
    ),
    ErrorReason.FORBIDDEN: Meaning(
        "It is known who asks, and they may not do this, or not with this token.",
        Blame.USER,
        "Take a token that is good for it, or ask whoever may.",
    ),
    ErrorReason.NOT_FOUND: Meaning(
        "There is no such thing, or none that is yours, or it is not kept any more.", Blame.USER, "Check its name."
    ),
    ErrorReason.CONFLICT: Meaning(
        "Somebody else was first, or it is in the wrong state for this.",
        Blame.USER,
        "Look at it again, and ask for what is possible now.",
    ),
    ErrorReason.BUDGET_EXCEEDED: Meaning(
        "The budget of the group has no room for it.",
        Blame.USER,
        "Look at `prominence budget`; ask for less, wait until jobs have ended, or ask the operator for more.",
    ),
    ErrorReason.QUOTA_REACHED: Meaning(
        "As much is kept for you, or for your group, as may be: bytes, keys, tokens or webhooks.",
        Blame.USER,
        "Delete what is no longer needed.",
    ),
    ErrorReason.QUEUE_LIMIT: Meaning(
        "You have as many jobs or workflows in the queue as one user may have.",
        Blame.USER,
        "Wait until some have ended, or delete some.",
    ),
    ErrorReason.TOO_MANY_REQUESTS: Meaning(
        "Too much is asked at once.", Blame.USER, "Ask again after as many seconds as Retry-After says."
    ),
    ErrorReason.UNAVAILABLE: Meaning(
        "A part of the service does not answer.",
        Blame.PLATFORM,
        "Ask again after as many seconds as Retry-After says; if it lasts tell the operator.",
    ),
    ErrorReason.NO_ROOM: Meaning(
        "A disk of the service has no room.", Blame.PLATFORM, "Tell the operator, and ask again later."
    ),
    ErrorReason.INTERNAL_ERROR: Meaning(
        "The service made a mistake.", Blame.PLATFORM, "Tell the operator, with the id in the header X-Request-ID."
    ),
}

_OF_STATUS = {
    401: ErrorReason.UNAUTHENTICATED,
    403: ErrorReason.FORBIDDEN,
    404: ErrorReason.NO_SUCH_OPERATION,
    405: ErrorReason.NO_SUCH_OPERATION,
    409: ErrorReason.CONFLICT,
    412: ErrorReason.CONFLICT,
    413: ErrorReason.TOO_LARGE,
    414: ErrorReason.TOO_LARGE,
    429: ErrorReason.TOO_MANY_REQUESTS,
    431: ErrorReason.TOO_LARGE,
    501: ErrorReason.INVALID_REQUEST,
    502: ErrorReason.UNAVAILABLE,
    503: ErrorReason.UNAVAILABLE,
    504: ErrorReason.UNAVAILABLE,
}


def of_status(status: int) -> ErrorReason:
    """The word for an error that a library has found, of which no more than HTTP's status is known."""
    return _OF_STATUS.get(status, ErrorReason.INVALID_REQUEST if status < 500 else ErrorReason.INTERNAL_ERROR)


def body(sentence: str, reason: ErrorReason) -> dict[str, str]:
    """What an API answers, as JSON. The sentence is for people, and may change."""
    return {"error": sentence, "reasonCode": reason.value}
