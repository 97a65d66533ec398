"""A job's own documents, from its directory: what its user asked for, and what its worker told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import BinaryIO, TypeVar

from prominence.core import document, logs, plan, report, tracing
from prominence.core.errors import NotFound
from prominence.core.job import JobSpec
from prominence.core.plan import Credentials, PlannedPassed, RegistryCredential, StorageSecret
from prominence.core.report import ExecutionReport
from prominence.core.task import Task
from prominence.core.workflow import JobOfMany, WorkflowSpec
from prominence.restapi import members
from prominence.restapi.finished import read_report, read_spec
from prominence.restapi.ports import Sandboxes, Unusable
from prominence.restapi.translate.plan import has_credentials
from prominence.restapi.translate.plan import plan as plan_of
from prominence.restapi.translate.site import Site

log = logs.get(__name__)

Document = TypeVar("Document")
Spec = TypeVar("Spec", bound=JobSpec)

SPEC_FILE = "spec.json"
"""The job as its user described it, without what is in its input files, and without secrets."""

WORKFLOW_FILE = "workflow.json"
"""The same of a workflow."""

INPUTS_FILE = "inputs.json"
"""What is in the files that come with the job, in their order: a list of texts in base64."""


def spec_of(uid: str, sandboxes: Sandboxes) -> JobSpec | None:
    """The job as its user described it; None when that cannot be read."""
    reader = _read_job_of_many if members.is_node(uid) else read_spec
    return _read(members.shared(uid), SPEC_FILE, reader, sandboxes)


def workflow_of(uid: str, sandboxes: Sandboxes) -> WorkflowSpec | None:
    """The workflow as its user described it; None when that cannot be read."""
    return _read(uid, WORKFLOW_FILE, _read_workflow, sandboxes)


def plan_text(spec: JobSpec, uid: str, site: Site, passed: tuple[PlannedPassed, ...] = ()) -> str:
    """The plan that its worker is given, with the id of the request that makes it."""
    return document.dumps(plan_of(spec, uid, site, passed)._replace(request=tracing.current()))


def kept_apart(spec: JobSpec) -> dict[str, str]:
    """Files by name with what the description leaves out."""
    files = {}
    if spec.inputs:
        files[INPUTS_FILE] = json.dumps([file.content for file in spec.inputs])
    if has_credentials(spec):
        asked = (task.imagePullCredential for task in spec.tasks)
        of_tasks = (None if one is None else RegistryCredential(one.username, one.token) for one in asked)
        files[plan.CREDENTIALS_FILE] = document.dumps(Credentials(tuple(of_tasks)))
    if spec.storage is not None:
        files[plan.STORAGE_FILE] = document.dumps(StorageSecret(spec.storage.section.secret))
    return files


def whole(spec: Spec, uid: str, sandboxes: Sandboxes) -> Spec:
    """The description with what is kept apart from it. Raises NotFound when that is no longer kept."""
    try:
        found = _with_credentials(_with_contents(spec, uid, sandboxes), uid, sandboxes)
        return _with_storage(found, uid, sandboxes)
    except ValueError as error:  # the job's worker may write into its directory
        raise NotFound("What is kept of the job besides its description cannot be read.") from error


def report_of(uid: str, sandboxes: Sandboxes) -> ExecutionReport | None:
    """What the last attempt that came to its end told; None when there is nothing that can be read."""
    return _read(uid, report.FILE_NAME, read_report, sandboxes)


def files_of(uid: str, sandboxes: Sandboxes) -> tuple[JobSpec | None, ExecutionReport | None]:
    """Both; of a member of an array the latter alone, since what all of them share is not kept with each."""
    return None if members.is_member(uid) else spec_of(uid, sandboxes), report_of(uid, sandboxes)


def _with_contents(spec: Spec, uid: str, sandboxes: Sandboxes) -> Spec:
    if not spec.inputs:
        return spec
    with _kept(uid, INPUTS_FILE, "What is in the job's input files", sandboxes) as file:
        contents = json.loads(file.read())
    filled = (one.model_copy(update={"content": text}) for one, text in zip(spec.inputs, contents, strict=True))
    return spec.model_copy(update={"inputs": tuple(filled)})


def _with_credentials(spec: Spec, uid: str, sandboxes: Sandboxes) -> Spec:
    if not has_credentials(spec):
        return spec
    with _kept(uid, plan.CREDENTIALS_FILE, "What the job shows to registries", sandboxes) as file:
        credentials = document.loads(Credentials, file.read().decode())
    tasks = (_with(task, one) for task, one in zip(spec.tasks, credentials.of_tasks, strict=True))
    return spec.model_copy(update={"tasks": tuple(tasks)})


def _with_storage(spec: Spec, uid: str, sandboxes: Sandboxes) -> Spec:
    if spec.storage is None:
        return spec
    with _kept(uid, plan.STORAGE_FILE, "What the job shows to its storage", sandboxes) as file:
        secret = document.loads(StorageSecret, file.read().decode()).secret
    return spec.model_copy(update={"storage": spec.storage.with_secret(secret)})


def _with(task: Task, credential: RegistryCredential | None) -> Task:
    if task.imagePullCredential is None or credential is None:
        return task
    whole = task.imagePullCredential.model_copy(update={"token": credential.token})
    return task.model_copy(update={"imagePullCredential": whole})


def _read_job_of_many(content: bytes | None) -> JobSpec | None:
    """A job of a workflow, with parameters in it as they were written."""
    return None if content is None else JobOfMany.model_validate_json(content)


def _read_workflow(content: bytes | None) -> WorkflowSpec | None:
    return None if content is None else WorkflowSpec.model_validate(json.loads(content))


def _kept(uid: str, name: str, what: str, sandboxes: Sandboxes) -> BinaryIO:
    file = sandboxes.open(members.shared(uid), name)
    if file is None:
        raise NotFound(f"{what} is no longer kept.")
    return file


def _read(
    uid: str, name: str, reader: Callable[[bytes | None], Document | None], sandboxes: Sandboxes
) -> Document | None:
    try:
        return reader(sandboxes.read(uid, name))
    except (Unusable, ValueError) as error:  # of which ValidationError and UnicodeError are kinds
        log.warning("a job's file cannot be read", uid=uid, file=name, error=str(error))
        return None
