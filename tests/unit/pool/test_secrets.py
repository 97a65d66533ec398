"""Keys and tokens of a pool."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import jwt
import pytest

from prominence.cli.pool.layout import Pool
from prominence.cli.pool.secrets import (
    API_KEY,
    PROXIES,
    ensure_secrets,
    local_user,
    user_token,
    write_environment,
    write_proxies,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    pool = Pool("demo", tmp_path)
    ensure_secrets(pool)
    files = [path for path in pool.secrets.rglob("*") if path.is_file()]
    assert len(files) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (pool.secrets, pool.secrets / "keys")} == {0o700}
    before = {path: path.read_text() for path in files}
    assert len(set(before.values())) == 4
    ensure_secrets(pool)
    assert {path: path.read_text() for path in files} == before


def test_a_token_names_its_user_and_ends(tmp_path: Path) -> None:
    pool = Pool("demo", tmp_path)
    ensure_secrets(pool)
    token = user_token(pool, "ada", NOON)
    claims = jwt.decode(token, (pool.secrets / API_KEY).read_text(), ["HS256"], options={"verify_signature": False})
    assert claims["sub"] == "ada"
    assert claims["exp"] - claims["iat"] == 30 * 24 * 3600


def test_an_account_without_a_name_is_known_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 987_654_321)
    assert local_user() == "uid-987654321"


def test_the_environment_file_is_private_even_when_an_open_one_was_there(tmp_path: Path) -> None:
    pool = Pool("demo", tmp_path)
    pool.environment_file.write_text("old")
    pool.environment_file.chmod(0o644)
    write_environment(pool, 8280, "secret")
    assert stat.S_IMODE(pool.environment_file.stat().st_mode) == 0o600
    assert "PROMINENCE_URL=http://127.0.0.1:8280/prominence/v1\n" in pool.environment_file.read_text()


def test_proxies_are_kept_like_a_secret_and_forgotten_with_the_environment(tmp_path: Path) -> None:
    pool = Pool("mine", tmp_path)
    ensure_secrets(pool)
    write_proxies(pool, {"https_proxy": "http://user:secret-word@proxy:3128"})
    file = pool.secrets / PROXIES
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "secret-word" in file.read_text()
    write_proxies(pool, {})
    assert file.read_text() == "{}"
