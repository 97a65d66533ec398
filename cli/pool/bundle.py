"""The worker's own files as one archive, for machines of clouds whose image has none of them."""

from __future__ import annotations

import gzip
import hashlib
import io
from pathlib import Path, PurePosixPath

from prominence.cli.pool.recipes import Context, recipes_of_a_worker

_PLACES = {"bin": "opt/prominence/bin", "condor": "etc/condor/config.d", "": "opt/prominence"}


def write_bundle(file: Path) -> str:
    """Write it to `file`, gzipped, the same each time; its SHA-256."""
    placed = Context()
    for recipe in recipes_of_a_worker():
        for path, content in recipe.files.items():
            place = _PLACES.get(str(PurePosixPath(path).parent).removeprefix("."))
            if place is not None and path != "Dockerfile":
                placed.files[f"{place}/{PurePosixPath(path).name}"] = content
    tar = io.BytesIO()
    placed.write_to(tar)
    packed = gzip.compress(tar.getvalue(), mtime=0)
    file.write_bytes(packed)
    return hashlib.sha256(packed).hexdigest()
