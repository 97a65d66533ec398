"""Archives as `docker save` writes them, honest ones and others."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from file_server import a_tar

EMPTY: Mapping[str, bytes] = {}


@dataclass(frozen=True)
class Picture:
    """An image in an archive. packed: its layers, with gzip. claimed: what it says that its layers' checksums are."""

    layers: Sequence[bytes]
    tags: Sequence[str] = ()
    config: Mapping[str, Any] | None = None
    packed: bool = False
    claimed: Sequence[str] = ()

    def files(self, prefix: str) -> tuple[dict[str, bytes], dict[str, Any]]:
        """Its pieces by their names, and its part of the manifest."""
        runs = {"Cmd": ["sh", "-c", "echo the image\\'s own"], "Env": ["PATH=/bin", "FROM_IMAGE=yes"]}
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": runs if self.config is None else self.config,
            "rootfs": {"type": "layers", "diff_ids": list(self.claimed) or [digest(layer) for layer in self.layers]},
        }
        files = {f"{prefix}config.json": json.dumps(config).encode()}
        for number, layer in enumerate(self.layers):
            files[f"{prefix}{number}/layer.tar"] = gzip.compress(layer, mtime=0) if self.packed else layer
        entry = {
            "Config": f"{prefix}config.json",
            "RepoTags": list(self.tags),
            "Layers": [f"{prefix}{number}/layer.tar" for number in range(len(self.layers))],
        }
        return files, entry


def saved(*pictures: Picture, more: Mapping[str, bytes] = EMPTY) -> bytes:
    """An archive of these images. more: further files in it."""
    files: dict[str, bytes] = {}
    manifest = []
    names = {}
    for number, picture in enumerate(pictures):
        pieces, entry = picture.files(f"{number}-" if number else "")
        files |= pieces
        manifest.append(entry)
        names |= {tag.rpartition(":")[0]: {tag.rpartition(":")[2]: "0" * 64} for tag in picture.tags}
    files["repositories"] = json.dumps(names).encode()
    files["manifest.json"] = json.dumps(manifest).encode()
    return a_tar({**files, **more})


def digest(content: bytes) -> str:
    """As Docker writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
