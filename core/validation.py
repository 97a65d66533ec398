"""Parse once, at the door: outside data into one of our models, or every mistake at once."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from prominence.core.errors import Mistake, Rejected

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """What people write: unknown keys and silent conversions are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Document(BaseModel):
    """What our processes pass to each other: unknown keys are ignored, so that versions may differ."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def parse(model: type[Model], data: Any) -> Model:
    """`data` (what json.loads gives) as `model`. Raises Rejected with every mistake and its path."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise Rejected([_mistake(e["loc"], e["type"], e["msg"]) for e in error.errors()]) from error


def _mistake(location: tuple[int | str, ...], kind: str, message: str) -> Mistake:
    """Pydantic's error in our words, without the rejected value: that may be a secret."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    if kind == "extra_forbidden":
        message = "unknown field"
    elif kind == "missing":
        message = "this field is required"
    return Mistake(path, message.removeprefix("Value error, "))
