from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from builders_executor import StopAfter

from prominence.executor import archives, packing
from prominence.executor.ports import Interrupted, Stop

CONTENT = b"content" * 1000


@pytest.fixture
def results(tmp_path: Path) -> Path:
    results = tmp_path / "home" / "results"
    (results / "deep").mkdir(parents=True)
    (results / "deep" / "a").write_bytes(CONTENT)
    return results


def pack(path: Path, stop: Stop | None = None) -> dict[str, tarfile.TarInfo]:
    """What is in the archive, by name."""
    tree = os.open(path, os.O_RDONLY)
    file = path.parents[1] / "results.tgz"
    try:
        packing.pack(tree, "results", file, stop or Stop())
    finally:
        os.close(tree)
    with tarfile.open(file) as archive:
        return {one.name: one for one in archive}


def test_what_is_packed_can_be_unpacked(results: Path, tmp_path: Path) -> None:
    (results / "link").symlink_to("deep/a")
    (results / "out").symlink_to("/etc/passwd")
    os.mkfifo(results / "pipe")
    (results / "deep" / "a").chmod(0o755)
    found = pack(results)
    assert set(found) == {"results", "results/deep", "results/deep/a", "results/link", "results/out"}
    assert found["results/out"].issym()
    assert (found["results/deep/a"].uid, found["results/deep/a"].mode) == (0, 0o755)
    (results / "out").unlink()
    pack(results)
    (tmp_path / "again").mkdir()
    archives.unpack(tmp_path / "results.tgz", tmp_path / "again", None, Stop())
    assert (tmp_path / "again" / "results" / "link").read_bytes() == CONTENT


def test_a_file_is_packed_alone(results: Path) -> None:
    assert {name: one.size for name, one in pack(results / "deep" / "a").items()} == {"results": len(CONTENT)}


@pytest.mark.parametrize("what", ["deep", "deep/a"])
def test_what_is_swapped_for_a_link_while_it_is_packed_is_left_out(
    results: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    secret = results.parent / "secret"
    secret.mkdir()
    (secret / "a").write_text("secret")
    look = os.lstat

    def swap(path: Any, **options: Any) -> os.stat_result:
        found = look(path, **options)
        if path == Path(what).name and not (results / what).is_symlink():
            (results / what).rename(results.parent / "away")
            (results / what).symlink_to(secret if what == "deep" else secret / "a")
        return found

    monkeypatch.setattr(packing.os, "lstat", swap)
    assert f"results/{what}" not in pack(results)


def test_a_file_that_shrinks_or_grows_meanwhile_leaves_a_whole_archive(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.fstat

    def change(descriptor: int) -> os.stat_result:
        found = look(descriptor)
        if found.st_size == len(CONTENT):
            (results / "deep" / "a").write_bytes(b"x")
        return found

    monkeypatch.setattr(packing.os, "fstat", change)
    assert pack(results)["results/deep/a"].size == len(CONTENT)


def test_what_is_too_deep_is_refused(results: Path) -> None:
    path = results
    for _ in range(packing.DEEPEST + 1):
        path = path / "d"
        path.mkdir()
    with pytest.raises(packing.TooDeep):
        pack(results)


def test_who_is_told_to_stop_packs_no_other_entry(results: Path) -> None:
    for number in range(5):
        (results / str(number)).mkdir()
    pack(results, StopAfter(20))
    with pytest.raises(Interrupted):
        pack(results, StopAfter(5))


def test_who_is_told_to_stop_does_not_read_a_file_to_its_end(results: Path) -> None:
    os.truncate(results / "deep" / "a", 10**12)
    with pytest.raises(Interrupted):
        pack(results / "deep" / "a", StopAfter(5))
