"""The programs in a worker's image that are Python's, as modules."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[1] / "images" / "worker" / "bin"


def loaded(program: str) -> Any:
    """The program of this name, not run."""
    name = program.replace("-", "_")
    spec = spec_from_loader(name, SourceFileLoader(name, str(_FOLDER / program)))
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
