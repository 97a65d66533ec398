"""Frozen dataclasses to JSON and back: the form in which documents travel with a job to a worker.

Standard library only and Python 3.9, because the executor carries this module. Unknown keys are ignored, so
that a newer writer can speak to an older reader; a missing or mistyped value is refused with its path.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class BadDocument(ValueError):
    """The text is not the document it should be; the message names the path."""


def dumps(document: Any) -> str:
    """The document as JSON text. Enum members are written as their values."""
    return json.dumps(dataclasses.asdict(document), ensure_ascii=False, sort_keys=True)


def loads(cls: type[T], text: str) -> T:
    """A document of class `cls` from JSON text. Raises BadDocument."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadDocument(f"{cls.__name__}: not JSON: {error}") from error
    value: T = _read(cls, data, cls.__name__)
    return value


def _read(kind: Any, data: Any, path: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, data, path)
    if origin is Union:  # Optional[X] is the only union our documents use
        inner = next(a for a in arguments if a is not type(None))
        return None if data is None else _read(inner, data, path)
    if origin is tuple:
        if not isinstance(data, list):
            raise BadDocument(f"{path}: a list is needed")
        return tuple(_read(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(data))
    if origin is dict:
        if not isinstance(data, dict):
            raise BadDocument(f"{path}: an object is needed")
        return {key: _read(arguments[1], value, f"{path}.{key}") for key, value in data.items()}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        try:
            return kind(data)
        except ValueError as error:
            raise BadDocument(f"{path}: {error}") from error
    accepted = (int, float) if kind is float else (kind,)
    if not isinstance(data, accepted) or (isinstance(data, bool) and kind is not bool):
        raise BadDocument(f"{path}: {kind.__name__} is needed, not {type(data).__name__}")
    return data


def _read_dataclass(cls: Any, data: Any, path: str) -> Any:
    if not isinstance(data, dict):
        raise BadDocument(f"{path}: an object is needed")
    hints = get_type_hints(cls)
    values = {}
    for field in dataclasses.fields(cls):
        if field.name in data:
            values[field.name] = _read(hints[field.name], data[field.name], f"{path}.{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise BadDocument(f"{path}.{field.name}: missing")
    return cls(**values)
