"""The page of settings."""

from __future__ import annotations

import enum
import json
import types
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from prominence.imc.settings import ImcSettings
from prominence.restapi.settings import RestApiSettings
from prominence.scaler.settings import ScalerSettings
from reference_pages.tables import code, table

INTRODUCTION = """# Settings

<!-- Made by scripts/reference from the components' settings.py; changes here are lost. -->

Each process reads one TOML file, `/etc/prominence/COMPONENT.toml` or the one that `PROMINENCE_COMPONENT_CONFIG` names,
and environment variables over it: `policy.max_workers` of the scaler is overridden by
`PROMINENCE_SCALER_POLICY__MAX_WORKERS`; lists and tables are written as JSON there. An unknown key is an error, and
all mistakes are named at once. `prominence-scaler --show-settings` and `prominence-imc --show-settings` print what is
in force and where it comes from. The personal pool writes these files itself."""

SETTINGS: dict[str, type[BaseModel]] = {"restapi": RestApiSettings, "scaler": ScalerSettings, "imc": ImcSettings}

REQUIRED, IN_EACH, IN_THE_TABLE = "required", "required in each", "required in the table"

KINDS = {date: "date", str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}


def settings() -> Iterator[str]:
    """Its lines."""
    yield INTRODUCTION
    for component, model in SETTINGS.items():
        yield from ("", f"## {component}")
        yield from table(("key", "kind", "default", "what"), _keys(model, ""))


def _keys(model: type[BaseModel], above: str, required: str = REQUIRED) -> Iterator[tuple[str, ...]]:
    """required: what is said of those that have no default, which is another thing in a table that may be left out."""
    for name, field in model.model_fields.items():
        kinds = list(_kinds_of_table(field.annotation))
        if kinds:
            yield from _of_kinds(above + name, kinds)
        else:
            yield from _of_key(above + name, field, required)


def _of_kinds(key: str, kinds: Iterable[tuple[str, type[BaseModel]]]) -> Iterator[tuple[str, ...]]:
    for kind, model in kinds:
        yield (code(f"{key}.NAME"), f'table with `type = "{kind}"`', "", _text(model))
        yield from _keys(model, f"{key}.NAME.", IN_EACH)


def _of_key(key: str, field: FieldInfo, required: str) -> Iterator[tuple[str, ...]]:
    inner = _model_in(field.annotation)
    if inner is None:
        yield (code(key), _kind(field.annotation), _default(field, required), field.description or "")
    elif get_origin(field.annotation) is tuple:
        yield (code(key), "list of tables", _default(field, required), field.description or "")
        yield from _keys(inner, f"{key}[].", IN_EACH)
    elif type(None) in get_args(field.annotation):
        yield (code(key), "table", _default(field, required), field.description or "")
        yield from _keys(inner, f"{key}.", IN_THE_TABLE)
    else:
        yield from _keys(inner, f"{key}.", required)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a key holds, itself or as a list."""
    return next(
        (c for c in (annotation, *get_args(annotation)) if isinstance(c, type) and issubclass(c, BaseModel)), None
    )


def _kinds_of_table(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """Of a table of tables of several kinds: each kind's word and model."""
    if get_origin(annotation) is not dict:
        return
    for one in get_args(get_args(get_args(annotation)[1])[0]):  # annotated, the union in it
        model = _model_in(one)
        if model is not None:
            yield get_args(model.model_fields["type"].annotation)[0], model


def _text(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return ", ".join(f"`{one.value}`" for one in annotation)
    if get_origin(annotation) is tuple:
        return f"list of {_kind(get_args(annotation)[0])}s"
    if get_origin(annotation) is dict:
        return f"table of {_kind(get_args(annotation)[1])}s"
    if get_origin(annotation) in (Union, types.UnionType):  # the only union that settings use is with None
        return _kind(get_args(annotation)[0])
    return KINDS[annotation]


def _default(field: FieldInfo, required: str) -> str:
    if field.is_required():
        return required
    value = field.get_default(call_default_factory=True)
    if value is None or value == "":
        return ""
    return f"`{json.dumps(value, default=_plain, ensure_ascii=False)}`"


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)
