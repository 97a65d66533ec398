"""Archives come from anybody: what is in them stays beneath the directory, and within its room."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.executor import archives
from prominence.executor.archives import BadArchive
from prominence.executor.ports import Interrupted, Stop

CONTENT = b"some words\n" * 100


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "outside" / "home"
    made.mkdir(parents=True)
    (tmp_path / "outside" / "secret").write_text("secret")
    return made


def unpack(file: Path, home: Path, most: int | None = None) -> int:
    return archives.unpack(file, home, most, Stop())


def tar(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    suffix = path.name.rpartition(".")[2].replace("tgz", "gz")
    mode = {"tar": "w", "gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}[suffix]
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for entry, content in entries:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, target, mode
    return made


def everything(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


@pytest.mark.parametrize("name", ["a.tar", "a.tgz", "a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_a_tar_is_unpacked_with_its_directories_links_and_executables(home: Path, tmp_path: Path, name: str) -> None:
    file = tar(
        tmp_path / name,
        (entry("bin/", tarfile.DIRTYPE), b""),
        (entry("bin/run", mode=0o4755), CONTENT),
        (entry("./data/a.txt"), CONTENT),
        (entry("data/b", tarfile.SYMTYPE, "../bin/run"), b""),
        (entry("data/c", tarfile.LNKTYPE, "data/a.txt"), b""),
    )
    assert unpack(file, home) == 2 * len(CONTENT)
    assert (home / "bin/run").stat().st_mode & 0o7777 == 0o755
    assert (home / "data/a.txt").read_bytes() == CONTENT
    assert (home / "data/b").resolve() == home / "bin/run"
    assert (home / "data/c").read_bytes() == CONTENT


def test_a_zip_is_unpacked(home: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/a.txt", CONTENT)
        run = zipfile.ZipInfo("run")
        run.external_attr = 0o100755 << 16
        archive.writestr(run, CONTENT)
    unpack(tmp_path / "a.zip", home)
    assert (home / "data/a.txt").read_bytes() == CONTENT
    assert os.access(home / "run", os.X_OK)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])
def test_a_packed_file_is_unpacked_under_its_name(home: Path, tmp_path: Path, suffix: str, pack: object) -> None:
    (tmp_path / f"data.txt{suffix}").write_bytes(pack(CONTENT))  # type: ignore[operator]
    assert archives.is_archive(f"data.txt{suffix}")
    unpack(tmp_path / f"data.txt{suffix}", home)
    assert (home / "data.txt").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "entries",
    [
        [(entry("../evil"), CONTENT)],
        [(entry("/etc/evil"), CONTENT)],
        [(entry("a/../../evil"), CONTENT)],
        [(entry("link", tarfile.SYMTYPE, "/etc"), b"")],
        [(entry("link", tarfile.SYMTYPE, ".."), b"")],
        [(entry("a/link", tarfile.SYMTYPE, "../../secret"), b"")],
        [(entry("link", tarfile.LNKTYPE, "../secret"), b"")],
        [(entry("link", tarfile.LNKTYPE, "/etc/passwd"), b"")],
        [(entry("a", tarfile.SYMTYPE, "b"), b""), (entry("b", tarfile.SYMTYPE, "a"), b""), (entry("a/x"), CONTENT)],
        [(entry("d", tarfile.DIRTYPE), b""), (entry("l", tarfile.SYMTYPE, "d"), b""), (entry("l/x"), CONTENT)],
        [(entry("device", tarfile.CHRTYPE), b"")],
        [(entry("disk", tarfile.BLKTYPE), b"")],
        [(entry("pipe", tarfile.FIFOTYPE), b"")],
    ],
)
def test_what_would_lead_out_or_is_no_file_is_refused(
    home: Path, tmp_path: Path, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    with pytest.raises(BadArchive):
        unpack(tar(tmp_path / "a.tar", *entries), home)
    assert everything(tmp_path / "outside") - {"home", "secret"} <= {f"home/{name}" for name in everything(home)}
    assert (tmp_path / "outside" / "secret").read_text() == "secret"
    assert not any(path.is_file() and not path.is_symlink() for path in home.rglob("*"))


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_a_zip_that_would_lead_out_is_refused(home: Path, tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, CONTENT)
    with pytest.raises(BadArchive):
        unpack(tmp_path / "a.zip", home)
    assert everything(home) == set()


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("before", [[], [(entry("a"), b"a")]])
def test_names_that_are_as_long_as_memory_is_large_are_not_read(
    home: Path, tmp_path: Path, kind: bytes, before: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    file = tar(tmp_path / "a.tgz", *before, (entry("name", kind), bytes(4 * 1024 * 1024)))
    with pytest.raises(BadArchive, match="a name in it is too long"):
        unpack(file, home)


def test_of_a_link_no_more_is_read_than_links_have(home: Path, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr, link.compress_type = 0o120777 << 16, zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, b"x" * 64 * 1024 * 1024)
    tracemalloc.start()
    try:
        with pytest.raises(BadArchive):
            unpack(tmp_path / "a.zip", home)
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_link_that_is_there_already_is_replaced_and_not_followed(home: Path, tmp_path: Path) -> None:
    (home / "a").symlink_to("../secret")
    unpack(tar(tmp_path / "a.tar", (entry("a"), CONTENT)), home)
    assert (home / "a").read_bytes() == CONTENT
    assert (tmp_path / "outside" / "secret").read_text() == "secret"


@pytest.mark.parametrize("name", ["bomb.gz", "bomb.tgz", "bomb.zip"])
def test_no_more_is_unpacked_than_there_is_room_for(home: Path, tmp_path: Path, name: str) -> None:
    file, zeros = tmp_path / name, b"\0" * 30_000_000
    if name.endswith(".gz"):
        file.write_bytes(gzip.compress(zeros))
    elif name.endswith(".tgz"):
        tar(file, (entry("bomb"), zeros))
    else:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("bomb", zeros)
    assert file.stat().st_size < 100_000
    with pytest.raises(BadArchive, match="disk"):
        unpack(file, home, most=2_000_000)
    assert sum(path.stat().st_size for path in home.rglob("*")) <= 2_000_000


@pytest.mark.parametrize("name", ["a.tar", "a.tgz", "a.tar.xz", "a.zip", "a.gz", "a.bz2", "a.xz"])
@settings(max_examples=30)
@given(content=st.binary(max_size=600))
def test_what_is_no_archive_is_told_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    place = tmp_path_factory.mktemp("any")
    (place / name).write_bytes(content)
    (place / "home").mkdir()
    try:
        unpack(place / name, place / "home", 1_000_000)
    except BadArchive as error:
        assert str(error)


def test_a_zip_with_a_password_is_told_so(home: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", CONTENT)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[6] |= 1  # the flag of encryption, here and in the directory at the end
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(BadArchive, match="password"):
        unpack(tmp_path / "a.zip", home)


def test_to_stop_is_heeded_in_the_middle(home: Path, tmp_path: Path) -> None:
    stop = Stop()
    stop.request()
    with pytest.raises(Interrupted):
        archives.unpack(tar(tmp_path / "a.tar", (entry("a"), CONTENT)), home, None, stop)
