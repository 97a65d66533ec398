"""The job's files of real parts: HTTP, the token in the sandbox, the home in the workspace."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from prominence.core.plan import TOKEN_FILE, ExecutionPlan
from prominence.executor.adapters.http import HttpObjects, HttpWeb
from prominence.executor.ports import Stop
from prominence.executor.sandbox import Workspace
from prominence.executor.stage_in import Progress, prepare_mounts, stage_in
from prominence.executor.stage_out import stage_out
from prominence.executor.tasks import Failure


@dataclass
class Staging:
    """`run.Files`. sandbox: where the plan and the token are; no task sees it."""

    plan: ExecutionPlan
    workspace: Workspace
    sandbox: Path

    def stage_in(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        web = HttpWeb(self.plan.api)
        failure = stage_in(self.plan, self.workspace.home, web, self._objects(web), stop, progress)
        return failure or prepare_mounts(self.plan, self.workspace)

    def stage_out(self, stop: Stop, progress: Progress) -> Optional[Failure]:
        web = HttpWeb(self.plan.api)
        with tempfile.TemporaryDirectory(dir=self.sandbox, prefix="output-") as scratch:
            objects = self._objects(web)
            return stage_out(self.plan, self.workspace.home, Path(scratch), web, objects, stop, progress)

    def _objects(self, web: HttpWeb) -> HttpObjects:
        """With the job's token, which only jobs that use objects have."""
        token = (self.sandbox / TOKEN_FILE).read_text("utf-8") if self.plan.api else ""
        return HttpObjects(web, self.plan.api, token)
