"""What is in a file that holds an image, and what must not be believed of it."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from file_server import a_tar
from hypothesis import given, settings
from hypothesis import strategies as st
from saved_images import Picture, saved

from prominence.executor.imagefiles import ImageFile, Layer, NotAnImage, Saved, look
from prominence.executor.ports import Interrupted, Stop

LOWER, UPPER = a_tar({"bin/sh": b"#!"}), a_tar({"etc/above": b"above"})
TWO = Picture([LOWER, UPPER])


def seen(directory: Path, content: bytes, most: int | None = None) -> ImageFile:
    file = directory / "image-0"
    file.write_bytes(content)
    return look(file, "00ff", most, Stop())


def opened(directory: Path, content: bytes) -> Saved:
    found = seen(directory, content).saved
    assert found is not None
    return found


def layers_of(found: Saved) -> list[bytes]:
    content = found.file.read_bytes()
    return [content[layer.offset : layer.offset + layer.size] for layer in found.layers]


def test_what_docker_saves_is_read_where_it_is(tmp_path: Path) -> None:
    found = opened(tmp_path, saved(TWO))
    assert found.file == tmp_path / "image-0"
    assert layers_of(found) == [LOWER, UPPER]
    assert found.arguments == ("sh", "-c", "echo the image\\'s own")
    assert (found.program, found.env, found.architecture) == ((), ("PATH=/bin", "FROM_IMAGE=yes"), "amd64")


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_packed_layers_are_unpacked_beside_it(tmp_path: Path, pack: Any) -> None:
    found = opened(tmp_path, pack(saved(Picture([LOWER, UPPER], packed=True))))
    assert layers_of(found) == [LOWER, UPPER]


def test_a_file_that_is_packed_gives_way_to_what_is_in_it(tmp_path: Path) -> None:
    found = seen(tmp_path, gzip.compress(saved(TWO)))
    assert [path.name for path in tmp_path.iterdir()] == [found.path.name] == ["image-0.plain"]
    assert found.path.read_bytes() == saved(TWO)


def test_a_layer_that_is_there_twice_may_be_a_link(tmp_path: Path) -> None:
    made = io.BytesIO(saved(TWO))
    manifest = [{"Config": "config.json", "Layers": ["0/layer.tar", "2/layer.tar", "3"]}]
    with tarfile.open(fileobj=made, mode="a") as tar:
        for name, kind, target in (
            ("2/layer.tar", tarfile.SYMTYPE, "../1/layer.tar"),
            ("3", tarfile.LNKTYPE, "0/layer.tar"),
        ):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            tar.addfile(link)
        text = json.dumps(manifest).encode()
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    assert layers_of(opened(tmp_path, made.getvalue())) == [LOWER, UPPER, LOWER]


@pytest.mark.parametrize(
    "head",
    [bytes(32) + b"SIF_MAGIC\0", b"hsqs", b"#!/usr/bin/env run-singularity\nhsqs"],
    ids=["sif", "squashfs", "old"],
)
def test_apptainers_own_are_told_by_how_they_begin(tmp_path: Path, head: bytes) -> None:
    assert seen(tmp_path, head + b"more") == ImageFile(tmp_path / "image-0", "00ff", tmp_path / "image-0")


def with_manifest(manifest: Any) -> bytes:
    return saved(TWO, more={"manifest.json": json.dumps(manifest).encode()})


def with_config(config: Any) -> bytes:
    return saved(TWO, more={"config.json": json.dumps(config).encode()})


NOT_IMAGES = {
    "nothing": (b"", "neither an image of Apptainer's nor what docker save writes"),
    "a script": (b"#!/bin/sh\necho", "neither an image"),
    "an archive of something": (a_tar({"a": b"b"}), "not what docker save writes"),
    "broken gzip": (gzip.compress(saved(TWO))[:-20], "it is broken"),
    "cut off": (saved(TWO)[: 512 * 5], "it is broken|it has no file|not what docker save writes"),
    "two images": (saved(TWO, TWO), "it holds 2 images, and one is needed"),
    "none": (with_manifest([]), "it holds 0 images"),
    "no list": (with_manifest({"Config": "x"}), "does not say which images"),
    "no object": (with_manifest(["x"]), "does not say which images"),
    "no json": (saved(TWO, more={"manifest.json": b"{"}), "it is broken"),
    "too deep": (saved(TWO, more={"manifest.json": b"[" * 100_000}), "it is broken"),
    "no layers": (with_manifest([{"Config": "config.json", "Layers": []}]), "its image has 0 layers"),
    "too many layers": (with_manifest([{"Config": "config.json", "Layers": ["0/layer.tar"] * 126}]), "has 126 layers"),
    "layers of numbers": (with_manifest([{"Config": "config.json", "Layers": [1]}]), "which layers"),
    "a layer that is not there": (with_manifest([{"Config": "config.json", "Layers": ["../etc"]}]), "no file '../etc'"),
    "no config": (with_manifest([{"Layers": ["0/layer.tar"]}]), "no file 'None'"),
    "another system": (with_config({"os": "windows"}), "not one for Linux"),
    "a config that is none": (with_config([]), "not one for Linux"),
    "nothing to run": (with_config({"config": "x"}), "what its image runs"),
    "an environment of numbers": (with_config({"config": {"Env": [1]}}), "what its image runs"),
    "too long an environment": (with_config({"config": {"Env": ["A=" + "b" * 70_000]}}), "more than 65536 characters"),
    "zstd": (saved(Picture([b"\x28\xb5\x2f\xfd" + bytes(600)])), "packed with zstd"),
}


@pytest.mark.parametrize("case", NOT_IMAGES)
def test_what_is_no_image_is_told_apart(tmp_path: Path, case: str) -> None:
    content, why = NOT_IMAGES[case]
    with pytest.raises(NotAnImage, match=why):
        seen(tmp_path, content)


def test_a_name_that_says_it_is_huge_is_not_waited_for(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 8 * 1024**3
    with pytest.raises(NotAnImage, match="it is broken"):
        seen(tmp_path, entry.tobuf(tarfile.GNU_FORMAT) + bytes(2048))


def test_no_more_is_unpacked_than_there_is_room_for(tmp_path: Path) -> None:
    content = saved(Picture([bytes(10**6)], packed=True))
    with pytest.raises(NotAnImage, match="more than the 500000 bytes that the job's disk has room for"):
        seen(tmp_path, content, most=500_000)
    assert (tmp_path / "image-0.layers").stat().st_size <= 500_000


def test_unpacking_stops_when_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "image-0").write_bytes(gzip.compress(saved(TWO)))
    stop = Stop()
    stop.request()
    with pytest.raises(Interrupted):
        look(tmp_path / "image-0", "00ff", None, stop)


@settings(max_examples=40)
@given(data=st.data())
def test_whatever_is_damaged_is_an_image_or_none_and_nothing_else_happens(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(saved(TWO))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = seen(tmp_path_factory.mktemp("damaged"), bytes(content))
    except NotAnImage:
        return
    assert found.saved is None or all(layer.size >= 0 and layer.offset > 0 for layer in found.saved.layers)
    assert found.saved is None or isinstance(found.saved.layers[0], Layer)
