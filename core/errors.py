"""The error tree. Adapters translate at their edge with `raise ... from`; nothing above sees a foreign exception.

ProminenceError
├── Rejected               the caller is at fault; carries all mistakes with their paths
├── Unauthenticated        we do not know who is calling
├── Forbidden              known, and not allowed
├── NotFound               no such thing, or none that the caller may see
├── Conflict               lost a compare-and-set, or the wrong state for this act
├── TooMany                the caller asks too often, or has too much under way; says when to ask again, if known
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


class ProminenceError(Exception):
    """Something that can be told to a person; `str(error)` is the sentence."""


@dataclass(frozen=True)
class Mistake:
    """One thing wrong with an input; path such as "tasks[0].image", "" for the whole."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Rejected(ProminenceError):
    """The input is wrong. All mistakes are reported at once."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(str(mistake) for mistake in self.mistakes))

    @classmethod
    def because(cls, message: str, path: str = "") -> Rejected:
        """A single mistake."""
        return cls([Mistake(path, message)])


class Unauthenticated(ProminenceError):
    """No identity could be made of what the caller showed."""


class Forbidden(ProminenceError):
    """The caller is known and may not do this."""


class NotFound(ProminenceError):
    """There is no such thing, or none that the caller may see."""


class Conflict(ProminenceError):
    """Somebody else was first, or the thing is in the wrong state for this act."""


class TooMany(ProminenceError):
    """More at once than one caller may have. Later is right."""

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class QuotaReached(ProminenceError):
    """The share of the space that a user or a group has is used up. Deleting something helps."""


class Unavailable(ProminenceError):
    """A part of the service does not answer. Trying again is right."""

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NoRoom(Unavailable):
    """A disk of the service has too little room for more. Trying again is right, though not soon."""


class CloudError(ProminenceError):
    """A cloud did not do what it was asked."""


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
