"""The Debian that all images start from: the one that is there, else pulled, else made on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import docker
from docker.errors import APIError, ImageNotFound

from prominence.cli.pool.errors import PoolError

SUITE = "trixie"
REPOSITORY = "debian"


def ensure_base_image(engine: docker.DockerClient, say: Callable[[str], None], suite: str = SUITE) -> str:
    """Id of the image, which is on the engine afterwards. Raises PoolError."""
    tag = f"{suite}-slim"
    name = f"{REPOSITORY}:{tag}"
    try:
        return str(engine.images.get(name).id)
    except ImageNotFound:
        say(f"Pulling {name}")
    try:
        return str(engine.images.pull(REPOSITORY, tag=tag).id)
    except APIError as error:
        reason = error.explanation or str(error)
    say("  No registry answers; making it with debootstrap instead (half a minute)")
    _bootstrap(engine, suite, tag, reason)
    return str(engine.images.get(name).id)


def _bootstrap(engine: docker.DockerClient, suite: str, tag: str, reason: str) -> None:
    program = shutil.which("debootstrap")
    if program is None or os.geteuid() != 0:
        raise PoolError(
            f"The image {REPOSITORY}:{tag} is not on this machine and cannot be pulled ({reason}). "
            "Load it with `docker load`, or install debootstrap and run this once as root."
        )
    with tempfile.TemporaryDirectory(prefix="prominence-") as folder:
        tree = Path(folder) / "tree"
        _run([program, "--variant=minbase", suite, str(tree)])
        for clutter in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(tree / clutter, ignore_errors=True)
            (tree / clutter / "partial").mkdir(parents=True)
        archive = Path(folder) / "tree.tar"
        _run(["tar", "--directory", str(tree), "--create", "--file", str(archive), "."])
        with archive.open("rb") as stream:
            engine.api.import_image_from_data(stream, repository=REPOSITORY, tag=tag)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-10:])
        raise PoolError(f"`{' '.join(command[:2])} ...` failed:\n{last}")
