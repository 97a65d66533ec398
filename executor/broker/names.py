"""Names of images, as the engine is told them (pure)."""

from __future__ import annotations

from typing import Tuple

_HUB, _HUB_ONCE = "docker.io", "index.docker.io"


def qualified(image: str) -> str:
    """The name in full, with its registry and its tag, or else its digest: one for all spellings, as the engine has it.

    What is short the engine may take for the beginning of an id. Anybody can make an image whose id begins as they
    like, and it would be run in the place of another's.
    """
    name = image[len("docker://") :] if image.startswith("docker://") else image
    host, slash, rest = name.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost" or host != host.lower()):
        host, rest = _HUB, name
    if host in (_HUB, _HUB_ONCE):
        host, rest = _HUB, rest if "/" in rest else f"library/{rest}"
    name, tag = split_reference(f"{host}/{rest}")
    return f"{repository(name)}@{tag}" if ":" in tag else f"{name}:{tag}"


def repository(image: str) -> str:
    """The name without its tag and its digest."""
    return split_reference(image.partition("@")[0])[0]


def split_reference(image: str) -> Tuple[str, str]:
    """A name and its tag or digest; "latest" where there is none, since the engine would fetch all tags then."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    front, slash, last = image.rpartition("/")
    last, colon, tag = last.partition(":")
    return f"{front}{slash}{last}", tag if colon else "latest"
