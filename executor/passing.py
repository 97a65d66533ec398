"""What other jobs of the workflow pass: each output at the path that it had in the home where it was made.

What comes of several instances is in a directory for each, by its number. What a directory was is one again; files stay
as they are, archives too.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Optional, Sequence

from prominence.core.plan import PlannedPassed
from prominence.executor import fulldisk
from prominence.executor.ports import Stop
from prominence.executor.sandbox import make_below
from prominence.executor.stage_in import fetch, size_of, unpack
from prominence.executor.transfer import Objects, Refused, Web, patiently


def shown(passed: PlannedPassed) -> str:
    """What people are told it is called."""
    return f"{passed.select or 'all outputs'} of {passed.job}"


def bring(
    number: int,
    passed: PlannedPassed,
    home: Path,
    web: Web,
    objects: Objects,
    stop: Stop,
    patience_s: float,
    room: Optional[int],
) -> int:
    """Bring all of it; how many bytes it has. number: among what the job is passed. room: bytes that it may have.

    Raises TransferFailed, Refused, NotUnpacked, Interrupted.
    """
    total, any_came = 0, False
    for instance in range(passed.instances):
        into = [*filter(None, passed.directory.split("/")), *([str(instance)] if passed.numbered else [])]
        names = patiently(partial(objects.passed, number, instance), lambda: 0, stop, patience_s)
        any_came = any_came or bool(names)
        for name, is_directory in names:
            file = _place(home, [*into, *name.split("/")])
            left = None if room is None else room - total
            fetch(partial(objects.to_get_passed, number, instance, name), file, left, web, stop, patience_s)
            if is_directory:
                total += unpack(file, home.joinpath(*into), left, stop)
                continue
            if passed.executable:
                file.chmod(0o755)
            total += size_of(file)
    if not any_came and not passed.may_be_missing:
        raise Refused(f"job {passed.job} has kept nothing of the kind")
    return total


def _place(home: Path, parts: Sequence[str]) -> Path:
    """Where a file goes, in directories that are there then, and beneath the home whatever has come before."""
    if not {"", ".", ".."}.isdisjoint(parts):
        raise Refused(f"{'/'.join(parts)} leads out of the job's home")
    try:
        os.close(make_below(home, parts[:-1]))
    except OSError as error:
        fulldisk.check(error)
        raise Refused(f"{'/'.join(parts)} has no place in the job's home: {error.strerror}") from error
    return home.joinpath(*parts)
