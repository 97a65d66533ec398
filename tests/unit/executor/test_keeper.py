from __future__ import annotations

import sys
from pathlib import Path

import pytest

from prominence.executor import keeper


@pytest.mark.parametrize("known", [sys.executable, ""])
def test_this_program_is_started_again_by_the_python_that_runs_it(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # HTCondor gives a job no PATH, and without one Python may not know where it is.
    monkeypatch.setattr(sys, "executable", known)
    python, *rest = keeper.itself("--enclose")
    assert Path(python).samefile("/proc/self/exe")
    assert rest == ["-I", "-S", sys.argv[0], "--enclose"]
