"""A personal pool's backup, fetched from an engine that is a few dictionaries."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from builders_pool import FakeEngine

from prominence.cli.pool.backup import back_up
from prominence.cli.pool.errors import PoolError
from prominence.cli.pool.layout import POOL_LABEL, ROLE_LABEL, STATE_LABEL, Pool

CONTENT = bytes(range(256)) * 9000
"""Comes in more than one piece."""


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    found = Pool.named("demo", {"XDG_STATE_HOME": str(tmp_path / "state")})
    found.state.mkdir(parents=True)
    return found


@pytest.fixture
def access_point(engine: Any, pool: Pool) -> Any:
    labels = {POOL_LABEL: pool.name, ROLE_LABEL: "access-point", STATE_LABEL: str(pool.state)}
    made = engine.containers.create("any", name="ap", labels=labels)
    made.status = "running"
    made.archive = [an_archive(CONTENT)]
    return made


@pytest.fixture
def engine() -> Any:
    return FakeEngine()


def an_archive(content: bytes) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        member = tarfile.TarInfo("backup")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


def test_it_is_fetched_as_it_was_made_and_nothing_stays_behind(
    engine: Any, pool: Pool, access_point: Any, tmp_path: Path
) -> None:
    assert back_up(engine, pool, tmp_path / "backup") == "said"
    assert (tmp_path / "backup").read_bytes() == CONTENT
    [cleaned, made, fetched, cleaned_again] = access_point.commands
    assert cleaned == cleaned_again == ["rm", "--force", made[-1]]
    assert fetched == ["get", made[-1]]


def test_where_it_cannot_be_written_none_is_made(engine: Any, pool: Pool, access_point: Any, tmp_path: Path) -> None:
    (tmp_path / "backup").write_text("of yesterday")
    with pytest.raises(PoolError, match="backup is there already"):
        back_up(engine, pool, tmp_path / "backup")
    with pytest.raises(FileNotFoundError):
        back_up(engine, pool, tmp_path / "nowhere" / "backup")
    assert access_point.commands == []


@pytest.mark.parametrize("archive", [b"", bytes(10240), an_archive(CONTENT)[:-20_000]])
def test_what_does_not_come_as_a_whole_is_no_backup(
    engine: Any, pool: Pool, access_point: Any, tmp_path: Path, archive: bytes
) -> None:
    access_point.archive = [archive]
    with pytest.raises(PoolError, match="did not come as a whole"):
        back_up(engine, pool, tmp_path / "backup")
    assert not list(tmp_path.glob("*backup*"))
