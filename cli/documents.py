"""A job as people write it in a file or on the command line, to the document that is sent. Pure.

The API alone knows what a job may hold: here only the form is checked, so that all mistakes are told by one side.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from prominence.cli.errors import ClientError


def read(data: bytes, name: str) -> dict[str, Any]:
    """The object that a file holds: JSON, or YAML where the name says so or the text is not JSON's."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ClientError(f"{name} is not text in UTF-8.") from error
    document = _yaml(text, name) if _is_yaml(text, name) else _json(text, name)
    if not isinstance(document, dict):
        raise ClientError(f"{name} does not hold a job: an object with tasks and resources is needed.")
    return document


def pair(text: str) -> tuple[str, str]:
    """NAME=VALUE in two. The value may hold more of "="; raises ValueError without a name or a "="."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def command_line(words: Sequence[str]) -> str | None:
    """One word is the whole command, as the API wants it; several are joined so that they stay apart."""
    if not words:
        return None
    return words[0] if len(words) == 1 else shlex.join(words)


def job(
    task: Mapping[str, Any],
    resources: Mapping[str, Any],
    name: str | None,
    labels: Iterable[tuple[str, str]],
    policies: Mapping[str, Any],
) -> dict[str, Any]:
    """A job of one task. What was not said is left out, for the API to fill in."""
    document = {"name": name, "labels": dict(labels), "tasks": [_said(task)], "resources": _said(resources)}
    return _said({**document, "policies": _said(policies)})


def change(
    labels: Mapping[str, str | None], resources: Mapping[str, Any], policies: Mapping[str, Any]
) -> dict[str, Any]:
    """A change to a job: what was not said is left out; a label that is None is taken away."""
    return _said({"labels": dict(labels), "resources": _said(resources), "policies": _said(policies)})


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _whole(value) for key, value in fields.items() if value is not None and value != {}}


def _whole(value: Any) -> Any:
    """4 instead of 4.0, as people write it and older services demand it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_yaml(text: str, name: str) -> bool:
    if name.endswith((".yaml", ".yml")):
        return True
    return not name.endswith(".json") and not text.lstrip().startswith("{")


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ClientError(f"{name} is not JSON: {error}.") from error


def _yaml(text: str, name: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ClientError(f"{name} is not YAML: {' '.join(str(error).split())}.") from error


class _Loader(yaml.SafeLoader):
    """YAML to what JSON has: 2024-05-01 stays the text that a label needs."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
