"""Packs the executor, or the broker, into one file that any Python 3.9 can run.

    python -m prominence.executor.package executor.pyz
    python -m prominence.executor.package --broker broker.pyz

The same sources give the same bytes, whoever packs them and when.
"""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from pathlib import Path
from typing import Dict, Optional, Sequence

import prominence.core.document

CORE = ("__init__", "document", "plan", "reasons", "report", "units")
"""The modules of core that are carried: standard library only and Python 3.9."""

_SHEBANG = b"#!/usr/bin/env python3\n"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_START = "import sys\n\nfrom prominence.executor.{module} import main\n\nsys.exit(main())\n"


def build(main_module: str = "main") -> bytes:
    """The file's content. main_module: whose `main` it runs, beneath prominence.executor."""
    archive = io.BytesIO()
    archive.write(_SHEBANG)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:  # compression differs between versions of zlib
        for name, text in sorted(_contents(main_module).items()):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, text)
    return archive.getvalue()


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Packs the executor, or the broker, into one file.")
    parser.add_argument("--broker", action="store_true", help="pack the broker")
    parser.add_argument("out", type=Path, help="the file to write")
    chosen = parser.parse_args(arguments)
    chosen.out.write_bytes(build("broker.main" if chosen.broker else "main"))
    chosen.out.chmod(0o755)
    return 0


def _contents(main_module: str) -> Dict[str, bytes]:
    executor = Path(__file__).parent
    core = Path(prominence.core.document.__file__).parent
    contents = {f"prominence/core/{name}.py": (core / f"{name}.py").read_bytes() for name in CORE}
    for file in executor.rglob("*.py"):
        contents[f"prominence/executor/{file.relative_to(executor).as_posix()}"] = file.read_bytes()
    # In the repository prominence is a namespace; older Pythons find no namespaces in an archive.
    contents["prominence/__init__.py"] = b""
    contents["__main__.py"] = _START.format(module=main_module).encode()
    return contents


if __name__ == "__main__":
    sys.exit(main())
