"""Snakemake runs the shell commands of its rules as container jobs of prominence: `snakemake --executor prominence`.

Snakemake itself stays where it was started, and so do all files. What a rule reads travels with its job in one archive,
what it writes comes back when the job has ended; no file system is shared, and images need no Snakemake in them.
"""

import asyncio
import shlex
import tarfile
import tempfile
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

from prominence.cli.errors import ClientError, Unreachable
from prominence.cli.handle import Job
from prominence.cli.listing import Wanted
from prominence.cli.surroundings import connect

LAST_LINES = 20

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=True,
    job_deploy_sources=False,
    can_transfer_local_files=True,
    auto_deploy_default_storage_provider=False,
    init_seconds_before_status_checks=2,
)


@dataclass
class ExecutorSettings(ExecutorSettingsBase):
    """What `snakemake --prominence-...` may say."""

    image: str = field(default="", metadata={"help": "The image for rules that name no container."})


class Executor(RemoteExecutor):
    """All jobs of this run have a label in common, so that one request tells how they are."""

    def __post_init__(self) -> None:
        self.client = connect()
        self.run = uuid.uuid4().hex

    def run_job(self, job: Any) -> None:
        """Submit it."""
        info = SubmittedJobInfo(job)
        try:
            document = self._document(job)
            if job.input:
                archive = f"snakemake-{uuid.uuid4()}.tgz"
                info.aux = {"archive": archive}
                document["artifacts"] = [{"url": archive}]
                self._upload(job, archive)
            info.external_jobid = str(self.client.create_job(document))
        except (ClientError, OSError, ValueError) as error:
            self._tidy(info)
            self.report_job_error(info, msg=f"{error}\n")
            return
        self.report_job_submission(info)

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncIterator[SubmittedJobInfo]:
        """Fetch what those have written that have ended, and give the others back."""
        known = await asyncio.to_thread(self._documents) if active_jobs else {}
        for info in active_jobs:
            job = known.get(info.external_jobid)
            if job is None or not job.has_ended:
                yield info
                continue
            try:
                await asyncio.to_thread(job.download, Path.cwd())
                job.raise_for_status()
            except (ClientError, OSError) as error:
                self.report_job_error(info, msg=f"{error}\n{_end_of(job)}")
            else:
                self.report_job_success(info)
            self._tidy(info)

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Take them out of the queue."""
        for info in active_jobs:
            try:
                self.client.delete_job(int(info.external_jobid or 0))
            except ClientError as error:
                self.logger.warning(str(error))
            self._tidy(info)

    def _documents(self) -> dict[str | None, Job]:
        wanted = Wanted(everything=True, constraints=(("snakemake", self.run),))
        try:
            return {str(job.id): job for job in self.client.find(wanted)}
        except Unreachable as error:  # it is asked again soon
            self.logger.warning(str(error))
            return {}

    def _document(self, job: Any) -> dict[str, Any]:
        """The job as the API takes it. Raises ValueError for a rule that cannot run elsewhere."""
        if job.is_group() or not job.is_shell:
            raise ValueError("Only rules with a shell command run on prominence: make it a localrule, or ungroup it.")
        image = job.container_img_url or self.workflow.executor_settings.image
        if not image:
            raise ValueError("The rule names no container, and --prominence-image names none for all rules.")
        written = [_relative(path) for path in (*job.output, *job.log)]
        directories = sorted({str(PurePosixPath(path).parent) for path in written})
        script = f"set -e; mkdir -p {shlex.join(directories)}; {job.shellcmd}" if written else job.shellcmd
        return {
            "name": f"snakemake/{job.name}",
            "labels": {"snakemake": self.run},
            "tasks": [{"image": str(image).removeprefix("docker://"), "cmd": shlex.join(["sh", "-c", script])}],
            "resources": _resources(job),
            "outputFiles": written,
        }

    def _upload(self, job: Any, name: str) -> None:
        with tempfile.TemporaryDirectory() as place:
            archive = Path(place, name)
            with tarfile.open(archive, "w:gz") as tar:
                for path in job.input:
                    tar.add(path, _relative(path))
            self.client.data.upload(archive, name)

    def _tidy(self, info: SubmittedJobInfo) -> None:
        archive = (info.aux or {}).get("archive")
        try:
            if archive:
                self.client.data.delete(archive)
        except ClientError as error:
            self.logger.warning(str(error))


def _relative(path: Any) -> str:
    """As it is called in the job's home, too. Raises ValueError for what would be elsewhere."""
    found = PurePosixPath(str(path))
    if found.is_absolute() or ".." in found.parts:
        raise ValueError(f"{path} is not below the directory that Snakemake works in.")
    return str(found)


def _resources(job: Any) -> dict[str, Any]:
    """threads, mem_mb, disk_mb and runtime, in the API's units. What the rule does not say is the service's affair."""
    said = {name: value for name, value in job.resources.items() if isinstance(value, int | float)}
    gigabytes = {"memory": said.get("mem_mb"), "disk": said.get("disk_mb")}
    found: dict[str, Any] = {name: round(size / 1000, 3) for name, size in gigabytes.items() if size}
    if "runtime" in said:
        found["walltime"] = int(said["runtime"])
    return {"cpus": job.threads, **found}


def _end_of(job: Job) -> str:
    try:
        return "\n".join(job.stderr().decode("utf-8", "replace").splitlines()[-LAST_LINES:])
    except ClientError:
        return ""
