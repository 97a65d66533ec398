"""An instance of a workflow's job: what becomes of the job's description with the instance's values in it. Pure.

The worker puts the same values into the plan. Only a job that may be described so is taken: `problems` looks at each
instance that could be wrong.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from prominence.core import classads, commandline, images
from prominence.core.errors import Mistake, Rejected
from prominence.core.files import Artifact, Passed, file_name, is_web_address
from prominence.core.job import JobSpec
from prominence.core.storage import Storage
from prominence.core.substitution import referred, substitute, write_values
from prominence.core.task import Task
from prominence.core.validation import MOST_MISTAKES, parse
from prominence.core.workflow import WorkflowSpec

LONGEST_VALUES = 8000
"""Characters of all values of one instance together, as its ad holds them: others than ASCII take several."""


def instance(job: JobSpec, values: Mapping[str, str]) -> JobSpec:
    """The job that has these values. Not looked at again."""
    fields = {name: getattr(job, name) for name in JobSpec.model_fields}
    return JobSpec.model_construct(_fields_set=set(job.model_fields_set), **{**fields, **_filled(job, values)})


def problems(spec: WorkflowSpec) -> Iterator[Mistake]:
    """What is wrong with instances of its jobs. Its factories name jobs that there are."""
    yield from _of_values(spec)
    for place, job in enumerate(spec.every):
        factory = spec.factory_of(job.name)
        count = factory.count if factory is not None else 1
        seen: set[tuple[str, ...]] = set()
        looked_at, shortened = _looked_at(job), _shortened(job)
        probe: JobSpec = job  # all of it in the first instance
        found = 0
        for index in range(count):
            values = factory.values(index) if factory is not None else {}
            texts = tuple(substitute(text, values) for text in looked_at)
            if texts in seen:
                continue
            seen.add(texts)
            for mistake in _problems(probe, values):
                told = f" (in instance {index})" if factory is not None else ""
                yield Mistake(f"{spec.path_of(place)}.{mistake.path}".rstrip("."), mistake.message + told)
                found += 1
            probe = shortened
            if found >= MOST_MISTAKES or not referred(looked_at):
                break


def _of_values(spec: WorkflowSpec) -> Iterator[Mistake]:
    for place, factory in enumerate(spec.factories):
        for index in range(factory.count):
            if len(classads.portable(write_values(factory.values(index)))) > LONGEST_VALUES:
                sentence = (
                    f"the values of an instance are longer than {LONGEST_VALUES} characters (in instance {index})"
                )
                yield Mistake(f"factories[{place}]", sentence)
                break


def _looked_at(job: JobSpec) -> list[str]:
    """The texts that not every value may stand in."""
    return [
        *(text for task in job.tasks for text in (task.image, task.workdir or "")),
        *(file.filename for file in job.inputs),
        *(text for artifact in job.fetched for text in (artifact.url, artifact.mountpoint or "")),
        *(text or "" for one in job.passed for text in (one.select, one.directory, one.mountpoint)),
        *job.outputFiles,
        *job.outputDirs,
        *([job.storage.directory] if job.storage is not None and job.storage.directory is not None else []),
    ]


def _shortened(job: JobSpec) -> JobSpec:
    """The job without what may be long and that any value may stand in: of this one instance tells enough."""
    inputs = tuple(file.model_copy(update={"content": ""}) for file in job.inputs)
    tasks = tuple(
        task.model_copy(update={"env": {}, "cmd": None if task.cmd is None else "true"}) for task in job.tasks
    )
    return job.model_copy(update={"inputs": inputs, "tasks": tasks, "labels": {}})


def _problems(job: JobSpec, values: Mapping[str, str]) -> Iterator[Mistake]:
    found = instance(job, values)
    try:
        parse(JobSpec, found.model_copy(update={"artifacts": found.fetched}).as_written())
    except Rejected as error:
        yield from error.mistakes
        return
    yield from _of_passed(job, found)
    for place, (task, one) in enumerate(zip(job.tasks, found.tasks, strict=True)):
        if _kind(task.image) != _kind(one.image):
            yield Mistake(f"tasks[{place}].image", "must be of one kind in all instances: in a registry, or a file")
    for name in ("outputFiles", "outputDirs"):
        for place, (path, one_path) in enumerate(zip(getattr(job, name), getattr(found, name), strict=True)):
            if path.count("/") != one_path.count("/"):
                yield Mistake(f"{name}[{place}]", "the value of a parameter in it may not hold /")
    for place, (artifact, other) in enumerate(zip(job.artifacts, found.artifacts, strict=True)):
        if isinstance(artifact, Artifact) and not _are_alike(artifact, other, values):
            sentence = "its parameters may not change its kind, nor where its file's name begins"
            yield Mistake(f"artifacts[{place}]", sentence)


def _of_passed(job: JobSpec, found: JobSpec) -> Iterator[Mistake]:
    for place, (passed, one) in enumerate(zip(job.artifacts, found.artifacts, strict=True)):
        if not isinstance(passed, Passed) or not isinstance(one, Passed):
            continue
        if (passed.select or "").count("/") != (one.select or "").count("/"):
            yield Mistake(f"artifacts[{place}].select", "the value of a parameter in it may not hold /")
        try:
            parse(Passed, one.model_dump(exclude_none=True))
        except Rejected as error:
            yield from (Mistake(f"artifacts[{place}].{told.path}", told.message) for told in error.mistakes)


def _kind(image: str) -> tuple[images.Kind, bool]:
    return images.kind(image), images.is_object(image)


def _are_alike(template: Artifact, one: Artifact, values: Mapping[str, str]) -> bool:
    """Whether the worker, who knows the template's parts, comes to the same."""
    if is_web_address(template.url) != is_web_address(one.url):
        return False
    if substitute(file_name(template.url), values) != file_name(one.url):
        return False
    parts, others = ((found.mountpoint or "").partition(":") for found in (template, one))
    return tuple(substitute(part, values) for part in parts) == others


def _filled(job: JobSpec, values: Mapping[str, str]) -> dict[str, Any]:
    def filled(text: str) -> str:
        return substitute(text, values)

    return {
        "tasks": tuple(_task(task, values) for task in job.tasks),
        "inputs": tuple(one.model_copy(update={"filename": filled(one.filename)}) for one in job.inputs),
        "artifacts": tuple(
            one.model_copy(update={name: filled(text) for name in _FILLED if (text := getattr(one, name, None))})
            for one in job.artifacts
        ),
        "outputFiles": tuple(map(filled, job.outputFiles)),
        "outputDirs": tuple(map(filled, job.outputDirs)),
        "storage": None if job.storage is None else _storage(job.storage, values),
    }


def _storage(storage: Storage, values: Mapping[str, str]) -> Storage:
    if storage.directory is None:
        return storage
    return storage.model_copy(update={"directory": substitute(storage.directory, values)})


_FILLED = ("url", "select", "directory", "mountpoint")
"""Of artifacts, of either kind."""


def _task(task: Task, values: Mapping[str, str]) -> Task:
    return task.model_copy(
        update={
            "image": substitute(task.image, values),
            "cmd": None if task.cmd is None else _command(task.cmd, values),
            "env": {name: substitute(value, values) for name, value in task.env.items()},
            "workdir": None if task.workdir is None else substitute(task.workdir, values),
        }
    )


def _command(cmd: str, values: Mapping[str, str]) -> str:
    """As it would be written for the words that the worker runs: whatever is in a value stays in its word."""
    words = tuple(substitute(word, values) for word in commandline.split(cmd))
    simple = substitute(cmd, values)
    try:
        if commandline.split(simple) == words:
            return simple
    except ValueError:  # a quotation mark in a value
        pass
    return shlex.join(words)
