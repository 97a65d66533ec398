"""The archive from which the engine loads the image of a job's file, written by us and by nobody else.

An image that is loaded brings names, and the engine believes them: the worker's other jobs would find it under
`python:3.12`. It also believes which layers an image has, and looks into none that it has already, whosever they
are. So nothing that a job says of an image is passed on but what it runs. The image has no name; its layers are called
by what they hold; with the session's label in it, it is like no other image, and is found again and removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from typing import Any, Dict, Iterator, Mapping, Sequence

from prominence.executor.broker.enginesocket import Content, EngineRefused
from prominence.executor.broker.requests import Load, Piece

_BLOCK = 512
_AT_ONCE = 1024 * 1024
_CONFIG, _MANIFEST = "config.json", "manifest.json"
_UNKNOWN = "sha256:" + "0" * 64


def archive(load: Load, descriptor: int, labels: Mapping[str, str]) -> Content:
    """What the engine is sent. descriptor: of the file that holds the layers. Raises EngineRefused."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):  # of which nobody knows when it ends
        raise EngineRefused("what holds the layers is not a file")
    if any(layer.offset + layer.size > found.st_size for layer in load.layers):
        raise EngineRefused("the file ends before its layers do")
    # As long as the real one: checksums are.
    config = _config(load, [_UNKNOWN] * len(load.layers), labels)
    sizes = [*(layer.size for layer in load.layers), len(config), len(_manifest(len(load.layers)))]
    total = sum(_BLOCK + _padded(size) for size in sizes) + 2 * _BLOCK
    return Content(total, "application/x-tar", _pieces(load, descriptor, labels))


def _pieces(load: Load, descriptor: int, labels: Mapping[str, str]) -> Iterator[bytes]:
    digests = []
    for number, layer in enumerate(load.layers):
        digest = hashlib.sha256()
        yield _head(_layer(number), layer.size)
        for data in _read(descriptor, layer):
            digest.update(data)
            yield data
        yield _padding(layer.size)
        digests.append(f"sha256:{digest.hexdigest()}")
    for name, content in ((_CONFIG, _config(load, digests, labels)), (_MANIFEST, _manifest(len(digests)))):
        yield _head(name, len(content)) + content + _padding(len(content))
    yield bytes(2 * _BLOCK)


def _config(load: Load, digests: Sequence[str], labels: Mapping[str, str]) -> bytes:
    runs: Dict[str, Any] = {"Env": list(load.env), "Labels": dict(labels)}
    if load.program:
        runs["Entrypoint"] = list(load.program)
    if load.arguments:
        runs["Cmd"] = list(load.arguments)
    return json.dumps(
        {
            "os": "linux",
            "architecture": load.architecture,
            "config": runs,
            "rootfs": {"type": "layers", "diff_ids": list(digests)},
        }
    ).encode()


def _manifest(layers: int) -> bytes:
    return json.dumps([{"Config": _CONFIG, "RepoTags": None, "Layers": [_layer(n) for n in range(layers)]}]).encode()


def _layer(number: int) -> str:
    return f"{number}.tar"


def _read(descriptor: int, layer: Piece) -> Iterator[bytes]:
    at, end = layer.offset, layer.offset + layer.size
    while at < end:
        try:
            data = os.pread(descriptor, min(_AT_ONCE, end - at), at)
        except OSError as error:
            raise EngineRefused(f"the file cannot be read: {error.strerror}") from error
        if not data:
            raise EngineRefused("the file has become shorter")
        at += len(data)
        yield data


def _head(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _padding(size: int) -> bytes:
    return bytes(_padded(size) - size)
