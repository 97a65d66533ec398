"""A machine's own files as one archive, for machines that are no containers: of clouds, or of a site's own.

They are those of the images' recipes, in the places where the images have them.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, cast

from prominence.cli.pool.recipes import Context, recipes_of_a_worker, recipes_of_the_control_plane
from prominence.cli.pool.site import PYTHON

WORKER, CONTROL = "worker", "control"
ROLES = (WORKER, CONTROL)

_PLACES = {"bin": "opt/prominence/bin", "condor": "etc/condor/config.d", "": "opt/prominence"}
_LIBRARY = "lib/"


def write_bundle(file: Path, role: str = WORKER, python: str = PYTHON) -> str:
    """Write it to `file`, gzipped, the same each time; its SHA-256. Raises OSError, or PoolError without packages.

    python: the machine's version, of the control plane's packages; a worker needs none.
    """
    recipes = recipes_of_a_worker() if role == WORKER else recipes_of_the_control_plane(python)
    # Without the file's name, which is not part of what is in it.
    with file.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
        _placed(recipes).write_to(cast(IO[bytes], packed))
    with file.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


def _placed(recipes: Iterable[Context]) -> Context:
    placed = Context()
    for recipe in recipes:
        for path, content in recipe.files.items():
            if path.startswith(_LIBRARY):
                placed.files[f"opt/prominence/{path}"] = content
                continue
            place = _PLACES.get(str(PurePosixPath(path).parent).removeprefix("."))
            if place is not None and path != "Dockerfile":
                placed.files[f"{place}/{PurePosixPath(path).name}"] = content
        for path, tree in recipe.trees.items():
            placed.trees[f"opt/prominence/{path}"] = tree
    return placed
