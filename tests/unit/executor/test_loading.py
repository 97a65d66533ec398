"""What the engine is sent of a file's image: all of it made by the broker."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.broker.enginesocket import EngineRefused
from prominence.executor.broker.loading import archive
from prominence.executor.broker.requests import Load, Piece

LABELS = {"prominence.session": "s1"}


def sent(content: bytes, load: Load) -> bytes:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        made = archive(load, file.fileno(), LABELS)
        text = b"".join(made.pieces)
    assert len(text) == made.size
    return text


def pieces(layers: Sequence[bytes]) -> tuple[Piece, ...]:
    starts = [sum(map(len, layers[:number])) for number in range(len(layers))]
    return tuple(Piece(start, len(layer)) for start, layer in zip(starts, layers, strict=True))


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=4), st.lists(st.text(max_size=20), max_size=3))
def test_an_image_has_no_name_and_its_layers_are_what_they_hold(layers: list[bytes], words: list[str]) -> None:
    load = Load(pieces(layers), arguments=tuple(words), env=("A=b",), architecture="amd64")
    with tarfile.open(fileobj=io.BytesIO(sent(b"".join(layers), load))) as tar:
        files = {entry.name: tar.extractfile(entry) for entry in tar}
        found = {name: file.read() for name, file in files.items() if file is not None}
    names = [f"{number}.tar" for number in range(len(layers))]
    assert list(found) == [*names, "config.json", "manifest.json"]
    assert [found[name] for name in names] == layers
    assert json.loads(found["manifest.json"]) == [{"Config": "config.json", "RepoTags": None, "Layers": names}]
    config = json.loads(found["config.json"])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    assert config["config"]["Labels"] == LABELS
    assert config["config"].get("Cmd", []) == words
    assert set(config) == {"os", "architecture", "config", "rootfs"}


def test_a_file_that_ends_too_soon_is_refused() -> None:
    with pytest.raises(EngineRefused, match="ends before its layers do"):
        sent(b"short", Load((Piece(0, 6),)))


def test_one_that_becomes_shorter_meanwhile_makes_no_image() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(bytes(100))
        file.flush()
        made = archive(Load((Piece(0, 100),)), file.fileno(), LABELS)
        file.truncate(50)
        file.flush()
        with pytest.raises(EngineRefused, match="has become shorter"):
            list(made.pieces)


def test_what_has_no_end_is_not_read() -> None:
    ours, theirs = os.pipe()
    with pytest.raises(EngineRefused, match="not a file"):
        archive(Load((Piece(0, 1),)), ours, LABELS)
    os.close(ours)
    os.close(theirs)
