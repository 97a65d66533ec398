"""Parameters of a workflow's jobs in texts: $name or ${name} stands for its value, as data. Pure.

Standard library only and Python 3.9, because the executor carries this module: the instances of a job share one plan,
and each puts its own values in where it runs. A value is never read again, so that one that looks like a parameter is
none, and a command has been split into its words before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from prominence.core.document import BadDocument
from prominence.core.plan import ExecutionPlan, PlannedTask

NAME = "[A-Za-z_][A-Za-z0-9_]*"
"""Of a parameter, in a regular expression."""

VARIABLE = "PROMINENCE_PARAMETER_"
"""What the variables begin with by which tasks are told of parameters."""

_REFERENCE = re.compile(rf"\$(?:({NAME})|\{{({NAME})\}})")


def substitute(text: str, values: Mapping[str, str]) -> str:
    """The text with values in place of parameters. What is called by no parameter's name is left as it is."""
    if "$" not in text:
        return text
    return _REFERENCE.sub(lambda found: values.get(found[1] or found[2], found[0]), text)


def referred(texts: Iterable[str]) -> set[str]:
    """All names that stand in these texts as parameters do."""
    return {found[0] or found[1] for text in texts if "$" in text for found in _REFERENCE.findall(text)}


def any_value(text: str) -> str:
    """As a pattern in which * stands for whatever a parameter's value is."""
    return _REFERENCE.sub("*", text)


def write_values(values: Mapping[str, str]) -> str:
    """An instance's values as text."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) if values else ""


def read_values(text: str) -> dict[str, str]:
    """What `write_values` made of these. Raises BadDocument."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise BadDocument(f"parameters: not JSON: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadDocument("parameters: an object of texts is needed")
    return found


def with_values(plan: ExecutionPlan, values: Mapping[str, str]) -> ExecutionPlan:
    """The plan of the instance that has these values."""

    def filled(text: str) -> str:
        return substitute(text, values)

    return plan._replace(
        tasks=tuple(_task(task, values) for task in plan.tasks),
        inputs=tuple(one._replace(name=filled(one.name)) for one in plan.inputs),
        artifacts=tuple(one._replace(source=filled(one.source), file=filled(one.file)) for one in plan.artifacts),
        passed=tuple(one._replace(select=filled(one.select), directory=filled(one.directory)) for one in plan.passed),
        mounts=tuple(one._replace(directory=filled(one.directory), target=filled(one.target)) for one in plan.mounts),
        output_files=tuple(map(filled, plan.output_files)),
        output_dirs=tuple(map(filled, plan.output_dirs)),
        storage=None if plan.storage is None else plan.storage._replace(directory=filled(plan.storage.directory)),
    )


def _task(task: PlannedTask, values: Mapping[str, str]) -> PlannedTask:
    file = task.file
    return task._replace(
        image=substitute(task.image, values),
        command=tuple(substitute(word, values) for word in task.command),
        env={
            **{name: substitute(value, values) for name, value in task.env.items()},
            **{VARIABLE + name: value for name, value in values.items()},
        },
        workdir=substitute(task.workdir, values),
        file=None if file is None else file._replace(source=substitute(file.source, values)),
    )
