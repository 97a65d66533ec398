"""A job as people write it in a file or on the command line, to the document that is sent.

The API alone knows what a job may hold: here only the form is checked, so that all mistakes are told by one side.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from prominence.cli.errors import ClientError
from prominence.core.plan import HIDDEN

LARGEST_INPUT = 32 * 1024 * 1024
"""Bytes. The API takes less, and says how much: this only keeps what is hopeless from being read."""

# The web addresses in it have colons of their own.
_MOUNTED = re.compile(r"(.+):([^:/]+:/[^:]*)", re.DOTALL)


A_JOB = "a job: an object with tasks and resources"
A_WORKFLOW = "a workflow: an object with jobs"


def read_from(file: Path, what: str = A_JOB) -> dict[str, Any]:
    """The same, of this file; "-" is standard input. Raises OSError."""
    if str(file) == "-":
        return read(sys.stdin.buffer.read(), "standard input", what)
    return read(file.read_bytes(), str(file), what)


def read(data: bytes, name: str, what: str = A_JOB) -> dict[str, Any]:
    """The object that a file holds: JSON, or YAML where the name says so or the text is not JSON's.

    what: it should hold, for people.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ClientError(f"{name} is not text in UTF-8.") from error
    document = _yaml(text, name) if _is_yaml(text, name) else _json(text, name)
    if not isinstance(document, dict):
        raise ClientError(f"{name} does not hold {what} is needed.")
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


def input_file(path: Path) -> dict[str, Any]:
    """A file as one of a job's inputs. Raises ClientError for one that is too large to be sent with a job."""
    if path.stat().st_size > LARGEST_INPUT:
        raise ClientError(f"{path} is too large to be sent with a job: upload it, and name it with --artifact.")
    document = {"filename": path.name, "content": base64.b64encode(path.read_bytes()).decode("ascii")}
    return {**document, "executable": True} if os.access(path, os.X_OK) else document


def storage(data: bytes, name: str) -> Any:
    """The section that says what storage a job sees, from a file of its own, which may hold its name as well."""
    text = data.strip()
    bare = text.startswith(b'"')
    document = read(b"{%b}" % text.rstrip(b",") if bare else text, name, "a job's storage: an object with a type")
    return document["storage"] if set(document) == {"storage"} else document


def without_secret(section: Any) -> Any:
    """The same to be shown."""
    if not isinstance(section, Mapping):
        return section
    return {key: HIDDEN if key in _SECRETS else without_secret(value) for key, value in section.items()}


_SECRETS = ("password", "app-password", "secretKey", "token")


def artifact(text: str) -> dict[str, Any]:
    """URL or URL:DIRECTORY:/PATH as one of a job's artifacts."""
    url, mount = text, ""
    if found := _MOUNTED.fullmatch(text):
        url, mount = found.groups()
    return {"url": url, "mountpoint": mount} if mount else {"url": url}


def change(
    labels: Mapping[str, str | None], resources: Mapping[str, Any], policies: Mapping[str, Any]
) -> dict[str, Any]:
    """A change to a job: what was not said is left out; a label that is None is taken away."""
    return said({"labels": dict(labels), "resources": said(resources), "policies": said(policies)})


def said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was not said, for the API to fill in."""
    return {key: _whole(value) for key, value in fields.items() if value is not None and value not in ({}, [])}


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
        raise ClientError(f"{name} is not YAML: {_said_of(error)}.") from error


def _said_of(error: Exception) -> str:
    """In one line, without the piece of the text that was being read."""
    match error:
        case yaml.MarkedYAMLError(problem=str(problem), problem_mark=yaml.Mark(line=line, column=column)):
            return f"{problem}: line {line + 1} column {column + 1}"
    return " ".join(str(error).split())


_TAG = "tag:yaml.org,2002:"
_NARROWED = (f"{_TAG}timestamp", f"{_TAG}int", f"{_TAG}float")
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_BROKEN = re.compile(r"[-+]?((0|[1-9][0-9]*)?\.[0-9]+|(0|[1-9][0-9]*)\.)([eE][-+][0-9]+)?\Z|[-+]?\.inf\Z|\.nan\Z", re.I)


class _Loader(yaml.SafeLoader):
    """YAML to what JSON has: 2024-05-01 stays the text that a label needs, and so do 12:30 and 0755, which YAML takes
    for numbers of base 60 and 8."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NARROWED]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """The value of a node."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError) as error:
            wrong = f"found a value that is no {node.tag.removeprefix(_TAG)}"
            raise yaml.constructor.ConstructorError(None, None, wrong, node.start_mark) from error


_Loader.add_implicit_resolver(f"{_TAG}int", _WHOLE, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}float", _BROKEN, list("-+.0123456789"))
