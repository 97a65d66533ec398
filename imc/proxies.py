"""The proxies that workers are told, from a file that the operator keeps: each new worker gets those of its time."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr, TypeAdapter, ValidationError

from prominence.core.errors import Unavailable

_DOCUMENT = TypeAdapter(dict[str, SecretStr])


def read(file: Path | None) -> dict[str, SecretStr]:
    """By the variables' names in small letters; empty where there is no file. Raises Unavailable."""
    if file is None:
        return {}
    try:
        return _DOCUMENT.validate_json(file.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Unavailable(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError:
        raise Unavailable(f"{file} is not a JSON object of texts") from None  # whose values are secrets
