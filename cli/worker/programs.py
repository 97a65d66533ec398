"""The programs that all workers have in common, from the recipes of the images: files of a worker's, or functions."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from types import ModuleType

from prominence.cli.errors import ClientError


def recipe(*path: str) -> str:
    """A file of the images' recipes."""
    return Path(str(files("prominence.images")), *path).read_text(encoding="utf-8")


def loaded(program: str) -> ModuleType:
    """One of a worker's programs in Python, as a module: not run, and without a trace on the disk."""
    module = ModuleType(program.replace("-", "_"))
    exec(compile(recipe("worker", "bin", program), program, "exec"), module.__dict__)
    return module


def pack_executor(target: Path, *options: str) -> None:
    """Write the executor as one file. A process of its own makes it: components do not import each other."""
    command = [sys.executable, "-m", "prominence.executor.package", *options, str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClientError(f"The executor could not be packed: {done.stderr.strip()}")
