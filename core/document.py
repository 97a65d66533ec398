"""Records to JSON and back: the form in which documents are kept, and travel with a job to a worker.

A record is a frozen dataclass or a NamedTuple. What the executor carries are the latter: to load and to make
dataclasses takes Python longer than the rest of the executor, and a job waits for it.

Standard library only and Python 3.9, because the executor carries this module. Unknown keys are ignored, so
that a newer writer can speak to an older reader; a missing or mistyped value is refused with its path.
"""

from __future__ import annotations

import enum
import json
from typing import Any, Dict, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class BadDocument(ValueError):
    """The text is not the document it should be; the message names the path."""


def dumps(document: Any) -> str:
    """The document as JSON text that UTF-8 can write. Enum members are written as their values.

    What is no character, as in the name of a file that is not in UTF-8, is a question mark.
    """
    text = json.dumps(_plain(document), ensure_ascii=False, sort_keys=True)
    return text.encode("utf-8", "replace").decode("utf-8")


def loads(cls: type[T], text: str) -> T:
    """A document of class `cls` from JSON text. Raises BadDocument."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadDocument(f"{cls.__name__}: not JSON: {error}") from error
    value: T = _read(cls, data, cls.__name__)
    return value


def _plain(value: Any) -> Any:
    """Of a record an object, by its fields; of all else what it is made of."""
    if _is_record(value):
        return {name: _plain(getattr(value, name)) for name in _fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


def _is_record(value: Any) -> bool:
    return hasattr(value, "_fields") or hasattr(value, "__dataclass_fields__")


def _fields(record: Any) -> Dict[str, bool]:
    """The names of a record's fields, each with whether it may be left out."""
    if hasattr(record, "_fields"):
        return {name: name in record._field_defaults for name in record._fields}
    import dataclasses  # here, for those who have some

    unset = dataclasses.MISSING
    return {
        one.name: one.default is not unset or one.default_factory is not unset for one in dataclasses.fields(record)
    }


def _read(kind: Any, data: Any, path: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if _is_record(kind):
        return _read_record(kind, data, path)
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


def _read_record(cls: Any, data: Any, path: str) -> Any:
    if not isinstance(data, dict):
        raise BadDocument(f"{path}: an object is needed")
    hints = get_type_hints(cls)
    values = {}
    for name, may_be_left_out in _fields(cls).items():
        if name in data:
            values[name] = _read(hints[name], data[name], f"{path}.{name}")
        elif not may_be_left_out:
            raise BadDocument(f"{path}.{name}: missing")
    return cls(**values)
