"""What can go wrong between a person and the API, each with the exit code of the command.

ProminenceError
└── ClientError            125
    ├── NotConfigured      126  no service is named, or the file that names it is unusable
    ├── ApiError           125  the API answered, and said no; carries the HTTP status and the API's word
    │   └── TokenRefused   126  it does not accept our token
    ├── NoSuchJob          125
    ├── JobFailed          125  of the Python client: a job has ended, and not as it should
    └── Unreachable        127  no answer, or one that says "not now": trying again later is right
"""

from __future__ import annotations

from prominence.cli import exit_codes
from prominence.cli.view import JobId
from prominence.core.errors import ProminenceError


class ClientError(ProminenceError):
    """Something that the command line tells in one sentence before it ends."""

    exit_code = exit_codes.FAILED
    reason_code = ""
    """A word of docs/reasons.md that does not change, where one is known."""

    def told(self) -> str:
        """For a terminal: the sentence, and the word by which scripts and the documentation know it."""
        return f"{self} ({self.reason_code})" if self.reason_code else str(self)


class NotConfigured(ClientError):
    """It is not known which service to speak to, or with which token."""

    exit_code = exit_codes.NOT_CONFIGURED


class ApiError(ClientError):
    """The API refused. `status` is the HTTP status, `str(error)` its sentence, `reason_code` its word, if it has said
    one."""

    def __init__(self, status: int, message: str, reason_code: str = "") -> None:
        super().__init__(message)
        self.status, self.reason_code = status, reason_code


class TokenRefused(ApiError):
    """The API does not accept the token."""

    exit_code = exit_codes.NOT_CONFIGURED


class NoSuchJob(ClientError):
    """There is no such job, or none that the caller may see."""

    def __init__(self, job_id: JobId) -> None:
        super().__init__(f"There is no job {job_id}.")


class JobFailed(ClientError):
    """A job has failed, or was deleted or killed; `reason_code` is a word of docs/reasons.md."""

    def __init__(self, job_id: JobId, status: str, reason: str, reason_code: str) -> None:
        super().__init__(f"Job {job_id} is {status}: {reason}" if reason else f"Job {job_id} is {status}.")
        self.job_id, self.status, self.reason, self.reason_code = job_id, status, reason, reason_code


class Unreachable(ClientError):
    """The API does not answer, or cannot do it at the moment; then `reason_code` is its word."""

    exit_code = exit_codes.UNREACHABLE

    def __init__(self, message: str, reason_code: str = "") -> None:
        super().__init__(message)
        self.reason_code = reason_code
