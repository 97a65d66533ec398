"""A change to a job that is queued: which parts may change, and what that means to HTCondor. Pure.

A change is written as the part of a job that becomes another, by the rules of JSON merge patch (RFC 7396): null takes a
label, or what was said of a policy, away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from prominence.core import classads
from prominence.core.errors import Conflict, Rejected
from prominence.core.job import JobSpec, LabelKey, LabelValue
from prominence.core.policies import Policies
from prominence.core.resources import Minutes
from prominence.core.validation import Strict, parse
from prominence.restapi.identity import Account
from prominence.restapi.translate.site import Site
from prominence.restapi.translate.submit import describe


def _or_null(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model that says what becomes another."""
    schema = model.model_json_schema()
    fields = {
        name: {
            "anyOf": [{key: value for key, value in field.items() if key not in ("default", "title")}, {"type": "null"}]
        }
        for name, field in schema["properties"].items()
    }
    return {"type": "object", "properties": fields, "additionalProperties": False}


class ResourcesChange(Strict):
    """Of what the job needs: how long it may run. Its size decides which worker it gets and cannot change."""

    walltime: Minutes | None = Field(default=None, description="Minutes; null: the site's default.")


class JobChange(Strict):
    """The parts of a job that may change while it is queued."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    labels: dict[LabelKey, LabelValue | None] = Field(
        default_factory=dict, description="Labels by name; null takes one away."
    )
    resources: ResourcesChange = Field(default_factory=ResourcesChange, description="What it needs.")
    policies: Annotated[dict[str, Any], WithJsonSchema(_or_null(Policies))] = Field(
        default_factory=dict, description="As in a job; null: as if it were not said."
    )


_ATTRIBUTE_OF = {
    "priority": classads.PRIORITY,
    "leave_in_queue": "LeaveJobInQueue",
    "allowed_job_duration": "AllowedJobDuration",
    "periodic_hold": "PeriodicHold",
    "periodic_remove": "PeriodicRemove",
    "on_exit_remove": "OnExitRemove",
    "on_exit_hold": "OnExitHold",
}
"""What the submit language's commands are called in a job's ad, as far as a change can touch them."""

_UNSAID = {"priority": "0", "periodic_remove": "false"}
"""What a command that is not given means, where that is a value of its own."""


def changed(spec: JobSpec, body: Any) -> JobSpec:
    """The job as it is to be. Raises Rejected for what may not change, or cannot be so."""
    change = parse(JobChange, body).model_dump(exclude_unset=True)
    if not change:
        raise Rejected.because(f"Say what is to change: {', '.join(JobChange.model_fields)}.")
    return parse(JobSpec, _merged(spec.model_dump(mode="json", exclude_none=True), change))


def edits(old: JobSpec, new: JobSpec, uid: str, account: Account, site: Site) -> dict[str, str]:
    """What becomes of the job's ad: expressions by attribute."""
    before, after = (describe(spec, uid, account, "/", site).commands for spec in (old, new))
    commands = {
        name: after.get(name, _UNSAID.get(name, "undefined"))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }
    return {_attribute(name): expression for name, expression in commands.items()}


def _attribute(command: str) -> str:
    if command.startswith("My."):
        return command.removeprefix("My.")
    if command not in _ATTRIBUTE_OF:
        raise Conflict(f"{command} of a job cannot be changed once it is queued.")
    return _ATTRIBUTE_OF[command]


def _merged(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            below = merged.get(key)
            merged[key] = _merged(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged
