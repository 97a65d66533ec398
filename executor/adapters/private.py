"""Images of private registries by the command line of docker or podman: fetched with a credential, kept for one job.

What was fetched has a name that nobody can guess in place of its own, until this process ends.
"""

from __future__ import annotations

import atexit
import base64
import json
import re
import tempfile
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable, Dict, Iterator

from prominence.core.plan import RegistryCredential
from prominence.executor.broker.protocol import PRIVATE
from prominence.executor.ports import RuntimeFailed

_HUB = "https://index.docker.io/v1/"
_AN_ID = re.compile(r"(?:sha256:)?[0-9a-f]+")


class PrivateImages:
    """Of one job. ask: runs a command of the program, which raises RuntimeFailed; its stdout."""

    def __init__(self, ask: Callable[..., str]) -> None:
        self._ask = ask
        self._kept: Dict[str, str] = {}

    def holds(self, image: str) -> bool:
        """Whether this job has fetched it with a credential."""
        return image in self._kept

    def name_of(self, image: str) -> str:
        """By which the program knows it."""
        return self._kept.get(image, image)

    def is_here(self, image: str) -> bool:
        """Whether there is an image of this name. An id is no name: any image could be had by trying."""
        try:
            found = self._ask("image", "inspect", "--format", "{{.Id}}", image).strip()
        except RuntimeFailed:
            return False
        digits = found.rpartition(":")[2]
        by_id = _AN_ID.fullmatch(image) is not None and digits.startswith(image.rpartition(":")[2])
        return not by_id and PRIVATE not in image

    def keep(self, image: str) -> bool:
        """Make an image that was just pulled this job's alone; whether it was still there.

        Its own name goes in any case, also where the image had it before: somebody else may have fetched it the same
        way in this moment.
        """
        name = f"localhost/{PRIVATE}/{uuid.uuid4().hex}:job"
        try:
            self._ask("tag", image, name)
        except RuntimeFailed:
            return False
        atexit.register(self._forget, name)
        self._forget(image)
        self._kept[image] = name
        return True

    def _forget(self, name: str) -> None:
        with suppress(RuntimeFailed):  # somebody else was faster
            self._ask("rmi", name)


@contextmanager
def logged_in(image: str, credential: RegistryCredential) -> Iterator[Dict[str, str]]:
    """The environment of a program that shows this credential to the image's registry, and has it nowhere else."""
    auth = base64.b64encode(f"{credential.username}:{credential.token}".encode()).decode()
    with tempfile.TemporaryDirectory(prefix="prominence-") as directory:
        file = Path(directory) / "config.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({"auths": {name: {"auth": auth} for name in registries(image)}}))
        yield {"DOCKER_CONFIG": directory, "REGISTRY_AUTH_FILE": str(file)}


def registries(image: str) -> tuple[str, ...]:
    """What docker and podman call the registry of an image."""
    host, slash, _ = image.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost") and host != "docker.io":
        return (host,)
    return (_HUB, "docker.io")
