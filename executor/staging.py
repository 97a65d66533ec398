"""The job's files of real parts: HTTP, the token in the sandbox, the home in the workspace."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from prominence.core.plan import TOKEN_FILE, ExecutionPlan
from prominence.executor import diskuse
from prominence.executor.adapters.http import HttpObjects, HttpWeb
from prominence.executor.adapters.workerimages import WorkerImages
from prominence.executor.failures import Failure
from prominence.executor.images import ImageFiles
from prominence.executor.ports import Stop
from prominence.executor.sandbox import Workspace
from prominence.executor.stage_in import Progress, prepare_mounts, stage_in
from prominence.executor.stage_out import stage_out

if TYPE_CHECKING:
    from prominence.executor.checkpoints import Checkpoints


@dataclass
class Staging:
    """`worker.Files`. sandbox: where the plan and the token are; no task sees it."""

    plan: ExecutionPlan
    workspace: Workspace
    sandbox: Path

    def stage_in(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        web = _web(self.plan)
        failure = stage_in(self.plan, self.workspace.home, web, self._objects(web), stop, progress)
        return failure or prepare_mounts(self.plan, self.workspace)

    def stage_out(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        web = _web(self.plan)
        with tempfile.TemporaryDirectory(dir=self.sandbox, prefix="output-") as scratch:
            objects = self._objects(web)
            return stage_out(self.plan, self.workspace.home, Path(scratch), web, objects, stop, progress)

    def checkpoints(self) -> Optional[Checkpoints]:
        if self.plan.checkpoint is None:
            return None
        from prominence.executor.checkpoints import Checkpoints  # rarely: each import keeps jobs waiting

        web = _web(self.plan)
        return Checkpoints(self.plan.checkpoint, self.workspace.home, self.sandbox, web, self._objects(web))

    def _objects(self, web: HttpWeb) -> HttpObjects:
        return _objects(self.plan, self.sandbox, web)


def image_files(
    plan: ExecutionPlan, workspace: Workspace, sandbox: Path, disk_kib: Optional[int], broker_socket: str
) -> ImageFiles:
    """The job's images that are files. disk_kib: what the job may keep on the worker's disk; None: nobody knows."""
    if disk_kib is None and plan.disk_mib is not None:
        disk_kib = plan.disk_mib * 1024
    web = _web(plan)
    seen = [str(directory) for directory in (workspace.home, workspace.tmp, *workspace.mounts)]
    return ImageFiles(
        sandbox.resolve() / "images",
        web,
        _objects(plan, sandbox, web),
        disk_kib,
        lambda enough_kib: diskuse.used_kib(seen, enough_kib),
        patience_s=plan.patience_s,
        kept=WorkerImages(broker_socket),
    )


def _web(plan: ExecutionPlan) -> HttpWeb:
    return HttpWeb(plan.api, request=plan.request)


def _objects(plan: ExecutionPlan, sandbox: Path, web: HttpWeb) -> HttpObjects:
    """With the job's token, which only jobs that use objects have."""
    token = (sandbox / TOKEN_FILE).read_text("utf-8") if plan.api else ""
    return HttpObjects(web, plan.api, token)
