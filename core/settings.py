"""Settings of one process: a TOML file, environment variables over it, every mistake named with where it was made.

A component declares one model on `Settings`; its main loads it once and hands it down as values. The file is the
one given, else the one that PROMINENCE_<COMPONENT>_CONFIG names, else /etc/prominence/<component>.toml where that
exists. The scaler's setting `policy.limit` is overridden by PROMINENCE_SCALER_POLICY__LIMIT; lists and tables are
written as JSON there. Secrets are named by the path of the file that holds them (`..._file`).
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from prominence.core.errors import Mistake, Rejected
from prominence.core.validation import mistake, written

M = TypeVar("M", bound=BaseModel)
Location = tuple[int | str, ...]


class Settings(BaseModel):
    """What an operator writes: unknown keys are refused; text is converted, as environments hold nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def load(model: type[M], component: str, file: Path | None = None, environment: Mapping[str, str] | None = None) -> M:
    """The component's settings in force. Raises Rejected with every mistake, its key and where it was made."""
    given = _given(component, file, environment)
    _open_tables(model, given.values)
    try:
        return model.model_validate(given.values)
    except ValidationError as error:
        raise Rejected([_mistake(details, given) for details in error.errors()]) from error


def shown(
    settings: BaseModel, component: str, file: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """The settings in force, a line each with where it comes from. Secrets are stars.

    `file` and `environment` are those that `load` was given.
    """
    given = _given(component, file, environment)
    rows = [
        (".".join(location), json.dumps(value, ensure_ascii=False), given.source(location) or "default")
        for location, value in _leaves(settings.model_dump(mode="json"))
    ]
    keys, values = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    return "\n".join(f"{key:{keys}} = {value:{values}}  # {source}" for key, value, source in rows)


@dataclass
class _Given:
    """What was written, and where."""

    file: Path
    prefix: str
    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[Location, str] = field(default_factory=dict)

    def set(self, location: tuple[str, ...], value: Any, source: str) -> None:
        """Set one key, making the tables around it."""
        table = self.values
        for key in location[:-1]:
            if not isinstance(table.get(key), dict):
                table[key] = {}
            table = table[key]
        table[location[-1]] = value
        self.sources[location] = source

    def source(self, location: Location) -> str | None:
        """Where this key, or the value it is part of, was written; of a table, where its first key was."""
        around = [location[:length] for length in range(len(location), 0, -1)]
        below = [part for part in self.sources if location and part[: len(location)] == location]
        return next((self.sources[part] for part in (*around, *below) if part in self.sources), None)


def _given(component: str, file: Path | None, environment: Mapping[str, str] | None) -> _Given:
    variables = os.environ if environment is None else environment
    prefix = f"PROMINENCE_{component.upper()}_"
    if file is None and f"{prefix}CONFIG" in variables:
        file = Path(variables[f"{prefix}CONFIG"])
    default = Path(f"/etc/prominence/{component}.toml")
    given = _Given(file or default, prefix)
    for location, value in _leaves(_read(given.file, may_be_absent=file is None)):
        given.set(location, value, str(given.file))
    for name in sorted(variables):  # so that a whole table comes before its keys
        if name.startswith(prefix) and name != f"{prefix}CONFIG":
            given.set(tuple(name.removeprefix(prefix).lower().split("__")), _value(variables[name]), name)
    return given


def _open_tables(model: type[BaseModel], values: dict[str, Any]) -> None:
    """Begin the tables that must be there, so that not they are told as missing, but what must be in them."""
    for name, described in model.model_fields.items():
        kind = described.annotation
        if described.is_required() and isinstance(kind, type) and issubclass(kind, BaseModel):
            table = values.setdefault(name, {})
            if isinstance(table, dict):
                _open_tables(kind, table)


def _read(file: Path, may_be_absent: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        if may_be_absent:
            return {}
        raise Rejected.because("there is no such file of settings", str(file)) from error
    except OSError as error:
        raise Rejected.because(f"cannot be read: {error.strerror}", str(file)) from error
    except ValueError as error:  # not UTF-8, or not TOML
        raise Rejected.because(f"is not a TOML file: {error}", str(file)) from error


def _value(text: str) -> Any:
    """Lists and tables are JSON; everything else is left to the model, a text such as "[::1]:80" too."""
    if text.startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _leaves(table: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value


def _mistake(details: ErrorDetails, given: _Given) -> Mistake:
    explained, location = mistake(details), written(details["loc"])
    if details["type"] == "missing":
        variable = given.prefix + "__".join(map(str, location)).upper()
        return Mistake(explained.path, f"this setting is required; set it in {given.file} or as {variable}")
    message = "unknown setting" if details["type"] == "extra_forbidden" else explained.message
    return Mistake(explained.path, f"{message} (from {given.source(location) or 'the defaults'})")
