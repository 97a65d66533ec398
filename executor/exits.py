"""What the executor exits with, which becomes the job's exit code.

0 on success, and the task's own exit code where a task failed. The codes below mean what their names say; a task
may return the same numbers, so the report is what decides. HANDED_BACK is no exit code: see `handing_back`.
"""

from __future__ import annotations

from prominence.core.report import HANDED_BACK_BY

SYSTEM_FAILED = 250
OUT_OF_TIME = 251
OUT_OF_MEMORY = 252
STOPPED = 253
OUT_OF_DISK = 254
HANDED_BACK = -HANDED_BACK_BY
