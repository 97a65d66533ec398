"""Which processes are a worker's, by what the kernel tells of all."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from prominence.cli.worker.processes import descendants


def a_proc(folder: Path, stats: Mapping[int, str]) -> Path:
    for pid, text in stats.items():
        (folder / str(pid)).mkdir()
        (folder / str(pid) / "stat").write_text(text)
    (folder / "self").mkdir()
    (folder / "99").mkdir()  # it has just ended
    return folder


def test_all_that_it_has_started_are_its_own_and_no_namesake_is(tmp_path: Path) -> None:
    proc = a_proc(
        tmp_path,
        {
            1: "1 (init) S 0 1",
            10: "10 (python3) S 1 10",
            11: "11 (condor_master) S 10 11",
            12: "12 (condor_startd) S 11 12",
            13: "13 (condor_starter) S 12 13",
            14: "14 (condor_starter) Z 12 14",
            20: "20 (condor_starter) S 1 20",
            21: "21 (an odd) name) R 13 21",
        },
    )
    assert descendants(10, proc) == {
        11: "condor_master",
        12: "condor_startd",
        13: "condor_starter",
        21: "an odd) name",
    }
    assert descendants(13, proc) == {21: "an odd) name"}
    assert descendants(77, proc) == {}


@given(st.dictionaries(st.integers(1, 30), st.integers(1, 30)))
def test_any_tree_has_an_end(parents: dict[int, int]) -> None:
    """Between two looks a parent may have become somebody else's child."""
    with tempfile.TemporaryDirectory() as folder:
        proc = a_proc(Path(folder), {pid: f"{pid} (x) S {parent} 1" for pid, parent in parents.items()})
        found = descendants(1, proc)
    assert 1 not in found
    assert all(parents[pid] in (1, *found) for pid in found)
