"""The exit codes of the command. Below 125 they belong to the job that was waited for.

The same three numbers that `docker run` and `env` keep for themselves; a job may use them too, but few do.
"""

from __future__ import annotations

from prominence.cli import view

FAILED = 125
"""Wrong usage, a refusal by the API, anything without a code of its own; a job that ended without a code."""
NOT_CONFIGURED = 126
"""No service or token is known, or the token is not accepted."""
UNREACHABLE = 127
"""The API does not answer, cannot work at the moment, or is asked too much at once."""
INTERRUPTED = 130
BROKEN_PIPE = 141


def of_job(job: view.Job) -> int:
    """What waiting for `job` ends with: its own exit code, where it has one."""
    completed = view.status(job) == "completed"
    code = view.exit_code(job)
    if code is None:
        return 0 if completed else FAILED
    if code == 0 and not completed:
        return FAILED  # the command was content, the job was not: its output could not be kept, for one
    return code
