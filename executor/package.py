"""Packs the executor, or the broker, into one file that any Python 3.9 can run.

    python -m prominence.executor.package executor.pyz
    python -m prominence.executor.package --broker broker.pyz
    PYTHONPATH=executor.pyz python -m prominence.executor.package --add-bytecode executor.pyz broker.pyz

The same sources give the same bytes, whoever packs them and when. Where it is known which Python will run a file, that
Python can add its bytecode, which saves it a quarter of the start; any other Python goes by the sources.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import marshal
import sys
import zipfile
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence

import prominence.core.document

CORE = (
    "__init__",
    "document",
    "error_reasons",
    "orders",
    "plan",
    "pulled",
    "reasons",
    "report",
    "substitution",
    "tracing",
    "units",
)
"""The modules of core that are carried: standard library only and Python 3.9."""

_SHARED_WITH_THE_BROKER = ("broker/__init__.py", "broker/protocol.py")
"""Of the broker's half what a job's needs: the rest does not travel with each job."""
_SHEBANG = b"#!/usr/bin/env python3\n"
_UNCHECKED_HASH = (1).to_bytes(4, "little")
"""Of bytecode that belongs to its source for good, so that nothing has to be compared (PEP 552)."""
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_START = """\
import gc
import sys

gc.disable()  # while modules load there is nothing to collect, and a job waits
from prominence.executor.{module} import main

gc.freeze()
gc.enable()
sys.exit(main())
"""


def build(main_module: str = "main") -> bytes:
    """The file's content. main_module: whose `main` it runs, beneath prominence.executor."""
    return _packed(_contents(main_module))


def with_bytecode(program: bytes) -> bytes:
    """The same file with the bytecode of the Python that runs us beside its sources."""
    with zipfile.ZipFile(io.BytesIO(program)) as packed:
        contents = {name: packed.read(name) for name in packed.namelist() if name.endswith(".py")}
    return _packed({**contents, **{f"{name}c": _bytecode(name, source) for name, source in contents.items()}})


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Write the file, or add to those that are there."""
    parser = argparse.ArgumentParser(description="Packs the executor, or the broker, into one file.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--broker", action="store_true", help="pack the broker")
    what.add_argument("--add-bytecode", action="store_true", help="add this Python's bytecode to files that are packed")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="the file to write")
    chosen = parser.parse_args(arguments)
    for file in chosen.files:
        if chosen.add_bytecode:
            file.write_bytes(with_bytecode(file.read_bytes()))
        else:
            file.write_bytes(build("broker.main" if chosen.broker else "main"))
            file.chmod(0o755)
    return 0


def _packed(contents: Mapping[str, bytes]) -> bytes:
    archive = io.BytesIO()
    archive.write(_SHEBANG)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:  # compression differs between versions of zlib
        for name, content in sorted(contents.items()):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, content)
    return archive.getvalue()


def _bytecode(name: str, source: bytes) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True)
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source) + marshal.dumps(code)


def _contents(main_module: str) -> Dict[str, bytes]:
    executor = Path(__file__).parent
    core = Path(prominence.core.document.__file__).parent
    contents = {f"prominence/core/{name}.py": (core / f"{name}.py").read_bytes() for name in CORE}
    for file in executor.rglob("*.py"):
        name = file.relative_to(executor).as_posix()
        if main_module.startswith("broker.") or not name.startswith("broker/") or name in _SHARED_WITH_THE_BROKER:
            contents[f"prominence/executor/{name}"] = file.read_bytes()
    # In the repository prominence is a namespace; older Pythons find no namespaces in an archive.
    contents["prominence/__init__.py"] = b""
    contents["__main__.py"] = _START.format(module=main_module).encode()
    return contents


if __name__ == "__main__":
    sys.exit(main())
