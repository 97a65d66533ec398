"""How much users may keep here, and for how long. Pure: what the settings say, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Limits:
    """Bytes, and times.

    uploads_kept: after an upload was last written. outputs_kept: after a job last wrote one. jobs_kept: a job's
    description, report and printed output, after it has ended.
    """

    user_quota: int = 100 * 10**9
    group_quota: int = 500 * 10**9
    largest_object: int = 50 * 10**9
    uploads_kept: timedelta = timedelta(days=90)
    outputs_kept: timedelta = timedelta(days=30)
    jobs_kept: timedelta = timedelta(days=90)
