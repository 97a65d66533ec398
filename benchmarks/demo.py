"""How long `make demo` takes for somebody who has just cloned the repository, and for the second time.

Each goes from an empty pool to an empty pool: a minute of it is the worker's idle time, and it ends with the worker.

demo.first: nothing of ours is on the machine: no virtual environment, no downloaded package, none of our images nor a
layer of them. What is left out is what a machine has for other reasons: Docker, and the Debian that ours start from.
demo.second: the same again, with all of that.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from benchmarks.harness import Row, figure

ROOT = Path(__file__).parents[1]
LABEL = "prominence.bench"
RECIPE = "images/base/Dockerfile"
START = "FROM ${BASE}\n"


def demo() -> list[Row]:
    """The first time and the second."""
    with _clone() as checkout:
        return [figure(name, [_timed(checkout, "make", "demo")]) for name in ("demo.first", "demo.second")]


@contextmanager
def _clone() -> Iterator[Path]:
    """A new clone of what is committed here, whose images share no layer with any other's; gone afterwards."""
    mark = uuid.uuid4().hex[:8]
    with tempfile.TemporaryDirectory(prefix="prominence-bench-") as home:
        os.chmod(home, 0o711)  # services and jobs pass through it
        checkout = Path(home) / f"bench-{mark}"
        subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
        recipe = (checkout / RECIPE).read_text()
        assert START in recipe, f"{RECIPE} does not start from its base any more"
        (checkout / RECIPE).write_text(recipe.replace(START, f"{START}LABEL {LABEL}={mark}\n"))
        try:
            yield checkout
        finally:
            command = checkout / ".venv" / "bin" / "prominence"
            if command.exists():
                _timed(checkout, str(command), "pool", "down", "--name", checkout.name, "--purge")
            _remove_images(mark)


def _timed(checkout: Path, *command: str) -> float:
    """Seconds that a command takes, for a user who has kept nothing of ours but this clone."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PROMINENCE_", "MAKE", "MFLAGS"))}
    place = str(checkout.parent)
    own |= {"XDG_CACHE_HOME": f"{place}/cache", "XDG_STATE_HOME": f"{place}/state", "POOL": checkout.name}
    began = time.monotonic()
    done = subprocess.run(command, cwd=checkout, env=own, capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    assert done.returncode == 0, f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return took


def _remove_images(mark: str) -> None:
    """Those of the clone: all are made from its base, and have its label."""
    engine = docker.from_env()
    for image in engine.images.list(filters={"label": f"{LABEL}={mark}"}):
        for tag in image.tags:
            engine.images.remove(tag)


MEASUREMENTS = {"demo": demo}
