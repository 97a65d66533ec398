"""A change to a job that has not ended: which parts may change, and what that means to HTCondor. Pure.

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
    return _of_change(schema, schema.get("$defs", {}))


def _of_change(schema: Mapping[str, Any], defined: Mapping[str, Any]) -> dict[str, Any]:
    """In which any field may be null, at any depth; without what it says of defaults."""
    said = {key: value for key, value in schema.items() if key not in ("default", "title", "$defs", "$ref")}
    if "$ref" in schema:
        return {**_of_change(defined[schema["$ref"].rpartition("/")[2]], defined), **said}
    if "properties" not in schema:
        return said
    fields = {
        name: {"anyOf": [_of_change(field, defined), {"type": "null"}]} for name, field in schema["properties"].items()
    }
    return {**said, "properties": fields}


class ResourcesChange(Strict):
    """Of what the job needs: how long it may run. Its size decides which worker it gets and cannot change."""

    walltime: Minutes | None = Field(default=None, description="Minutes; null: the site's default.")


class JobChange(Strict):
    """The parts of a job that may change while it waits; while it runs, its walltime."""

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
    "rank": "Rank",
    "leave_in_queue": "LeaveJobInQueue",
    "allowed_job_duration": "AllowedJobDuration",
    "periodic_hold": "PeriodicHold",
    "periodic_remove": "PeriodicRemove",
    "on_exit_remove": "OnExitRemove",
    "on_exit_hold": "OnExitHold",
}
"""What the submit language's commands are called in a job's ad, as far as a change can touch them."""

_UNSAID = {"priority": "0", "rank": "0.0", "periodic_remove": "false"}
"""What a command that is not given means, where that is a value of its own."""


def changed(spec: JobSpec, body: Any) -> JobSpec:
    """The job as it is to be. Raises Rejected for what may not change, or cannot be so."""
    change = parse(JobChange, body).model_dump(exclude_unset=True)
    if not change:
        raise Rejected.because(f"Say what is to change: {', '.join(JobChange.model_fields)}.")
    new = parse(JobSpec, _merged(spec.model_dump(mode="json", exclude_none=True), change))
    if (new.policies.checkpoint is None) != (spec.policies.checkpoint is None):
        # What the job may write, and the token that shows it, were made when it was submitted.
        sentence = "cannot be given or taken away once the job is queued; only its path and interval can change"
        raise Rejected.because(sentence, "policies.checkpoint")
    return new


def edits(old: JobSpec, new: JobSpec, uid: str, account: Account, site: Site) -> dict[str, str]:
    """What becomes of the job's ad: expressions by attribute."""
    before, after = (describe(spec, uid, account, "/", site).commands for spec in (old, new))
    commands = {
        name: after.get(name, _UNSAID.get(name, "undefined"))
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    }
    return {_attribute(name): expression for name, expression in commands.items()}


def differ_in_walltime_alone(old: JobSpec, new: JobSpec) -> bool:
    """Whether nothing else changes: of a job that runs nothing else may."""
    without = old.model_copy(update={"resources": old.resources.model_copy(update={"walltime": None})})
    return without == new.model_copy(update={"resources": new.resources.model_copy(update={"walltime": None})})


def _attribute(command: str) -> str:
    if command.startswith("My."):
        return command.removeprefix("My.")
    if command not in _ATTRIBUTE_OF:
        raise Conflict(f"{command} of a job cannot be changed once it is queued.")
    return _ATTRIBUTE_OF[command]


def differences(old: JobSpec, new: JobSpec) -> tuple[dict[str, Any], dict[str, Any]]:
    """What has changed of what can, as it was and as it is."""
    before, after = (
        spec.model_dump(mode="json", include={*JobChange.model_fields}, exclude_unset=True) for spec in (old, new)
    )
    parts = [part for part in JobChange.model_fields if before.get(part) != after.get(part)]
    return {part: before.get(part) for part in parts}, {part: after.get(part) for part in parts}


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
