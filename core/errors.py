"""The error tree. Adapters translate at their edge with `raise ... from`; nothing above sees a foreign exception.
What an API answers for each is `told_as`, which those below it inherit.

ProminenceError
├── Rejected               the caller is at fault; carries all mistakes with their paths
├── Unauthenticated        we do not know who is calling
├── Forbidden              known, and not allowed
│   └── BudgetExceeded     not before the budget of the caller's group has room for it
├── NotFound               no such thing, or none that the caller may see
├── Conflict               lost a compare-and-set, or the wrong state for this act
├── TooLarge               more bytes than are taken at once
├── TooMany                the caller asks too often; says when to ask again, if known
│   └── QueueFull          the caller has too much in the queue; not before some of it has ended
├── QuotaReached           the caller's share of the space is used up; not before they delete something
├── Unavailable            try again; says after how long, if known
│   └── NoRoom             not before somebody has made room on a disk of the service
└── CloudError             a cloud did not do what it was asked
    ├── OutOfCapacity      try elsewhere
    ├── QuotaExceeded      not here until something ends
    ├── CredentialsRefused tell the operator, stop asking
    └── NoSuchImage, NoSuchFlavour   a mistake in the cloud's declaration
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from prominence.core.error_reasons import ErrorReason


class ProminenceError(Exception):
    """Something that can be told to a person; `str(error)` is the sentence."""

    told_as: ClassVar[ErrorReason] = ErrorReason.INTERNAL_ERROR


@dataclass(frozen=True)
class Mistake:
    """One thing wrong with an input; path such as "tasks[0].image", "" for the whole."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Rejected(ProminenceError):
    """The input is wrong. All mistakes are reported at once."""

    told_as = ErrorReason.INVALID_REQUEST

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(str(mistake) for mistake in self.mistakes))

    @classmethod
    def because(cls, message: str, path: str = "") -> Rejected:
        """A single mistake."""
        return cls([Mistake(path, message)])


class Unauthenticated(ProminenceError):
    """No identity could be made of what the caller showed."""

    told_as = ErrorReason.UNAUTHENTICATED


class Forbidden(ProminenceError):
    """The caller is known and may not do this."""

    told_as = ErrorReason.FORBIDDEN


class BudgetExceeded(Forbidden):
    """The budget of the caller's group has no room for it."""

    told_as = ErrorReason.BUDGET_EXCEEDED


class NotFound(ProminenceError):
    """There is no such thing, or none that the caller may see."""

    told_as = ErrorReason.NOT_FOUND


class Conflict(ProminenceError):
    """Somebody else was first, or the thing is in the wrong state for this act."""

    told_as = ErrorReason.CONFLICT


class TooLarge(ProminenceError):
    """More bytes than are taken at once."""

    told_as = ErrorReason.TOO_LARGE


class TooMany(ProminenceError):
    """More at once than one caller may have. Later is right."""

    told_as = ErrorReason.TOO_MANY_REQUESTS

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QueueFull(TooMany):
    """The caller has as much in the queue as one may have. Later is right, when some of it has ended."""

    told_as = ErrorReason.QUEUE_LIMIT


class QuotaReached(ProminenceError):
    """The share of the space that a user or a group has is used up. Deleting something helps."""

    told_as = ErrorReason.QUOTA_REACHED


class Unavailable(ProminenceError):
    """A part of the service does not answer. Trying again is right."""

    told_as = ErrorReason.UNAVAILABLE

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NoRoom(Unavailable):
    """A disk of the service has too little room for more. Trying again is right, though not soon."""

    told_as = ErrorReason.NO_ROOM


class CloudError(ProminenceError):
    """A cloud did not do what it was asked."""

    told_as = ErrorReason.UNAVAILABLE


class OutOfCapacity(CloudError):
    """The cloud has no room; try elsewhere."""


class QuotaExceeded(CloudError):
    """Our share of the cloud is used up; not here until something ends."""


class CredentialsRefused(CloudError):
    """The cloud does not accept us; tell the operator and stop asking."""


class NoSuchImage(CloudError):
    """The cloud does not have the image we name."""


class NoSuchFlavour(CloudError):
    """The cloud does not have the flavour we name."""


def sentence(error: ProminenceError | OSError) -> str:
    """For people, at the end of a command: of the operating system's errors without their numbers."""
    if isinstance(error, OSError):
        return f"{error.filename or 'The operating system'}: {error.strerror or error}."
    return str(error)
