from __future__ import annotations

from typing import Any

import pytest

from prominence.core.plan import ExecutionPlan, PlannedArtifact, PlannedInput, PlannedMount, PlannedTask


def a_plan(**files: Any) -> ExecutionPlan:
    task = PlannedTask("busybox", ("docker",))
    return ExecutionPlan("j", "", (task,), cpus=1, memory_mib=1000, walltime_s=None, **files)


def test_a_plan_of_tasks_alone_has_no_files() -> None:
    assert not a_plan().has_files


@pytest.mark.parametrize(
    "files",
    [
        {"inputs": (PlannedInput("a", ""),)},
        {"artifacts": (PlannedArtifact("https://example.org/a", "a"),)},
        {"mounts": (PlannedMount("a", "/mnt/a"),)},
        {"output_files": ("a",)},
        {"output_dirs": ("a",)},
    ],
    ids=lambda files: next(iter(files)),
)
def test_whatever_is_given_or_kept_is_a_file(files: dict[str, Any]) -> None:
    assert a_plan(**files).has_files
