"""Which service and token are used, and which files are not believed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.cli.configuration import Service, find, parse
from prominence.cli.errors import NotConfigured
from prominence.cli.saved_login import Files, SavedLogin

US = os.geteuid()


def a_file(path: Path, url: str = "http://127.0.0.1:8080/prominence/v1", token: str = "t.o.k") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"PROMINENCE_URL={url}\nPROMINENCE_TOKEN={token}\n")
    path.chmod(0o600)
    return path


def found(
    directory: Path,
    home: Path,
    environment: Mapping[str, str] | None = None,
    user_id: int = US,
    warnings: list[str] | None = None,
) -> Service:
    said = warnings if warnings is not None else []
    return find(environment or {}, directory, home, user_id, said.append, a_login(home))


def a_login(home: Path) -> SavedLogin:
    """Of this home; its token needs no renewal."""

    def nobody(_: str) -> NoReturn:
        raise AssertionError("nobody should be asked")

    return SavedLogin(Files(home), lambda _: None, nobody, lambda: 0.0)


def log_in(home: Path, url: str | None) -> None:
    document = {"access_token": "login"} | ({"prominence_url": url} if url else {})
    Files(home).write(Files(home).token, document)


def token_of(service: Service) -> str:
    return service.token if isinstance(service.token, str) else service.token()


@pytest.mark.parametrize("said", [None, "https://one.test/v1", "https://one.test/v1/"])
def test_a_login_goes_with_the_address_in_the_environment(said: str | None, tmp_path: Path) -> None:
    log_in(tmp_path, said)
    a_file(tmp_path / ".pool" / "env", token="pool")
    service = found(tmp_path, tmp_path, {"PROMINENCE_URL": "https://one.test/v1/"})
    assert (service.url, token_of(service)) == ("https://one.test/v1", "login")


def test_a_token_in_the_environment_comes_before_a_login(tmp_path: Path) -> None:
    log_in(tmp_path, "https://one.test/v1")
    environment = {"PROMINENCE_URL": "https://one.test/v1", "PROMINENCE_TOKEN": "x"}
    assert token_of(found(tmp_path, tmp_path, environment)) == "x"


def test_a_login_is_not_shown_to_another_service(tmp_path: Path) -> None:
    log_in(tmp_path, "https://one.test/v1")
    with pytest.raises(NotConfigured, match=r"logged in to https://one\.test/v1, not to https://other\.test/v1"):
        found(tmp_path, tmp_path, {"PROMINENCE_URL": "https://other.test/v1"})


def test_a_login_that_says_for_which_service_it_is_comes_last(tmp_path: Path) -> None:
    log_in(tmp_path, "https://one.test/v1")
    service = found(tmp_path, tmp_path)
    assert (service.url, token_of(service)) == ("https://one.test/v1", "login")
    a_file(tmp_path / ".local/state/prominence/default/env", token="state")
    assert token_of(found(tmp_path, tmp_path)) == "state"


def test_a_login_that_says_nothing_is_good_for_no_address_of_its_own(tmp_path: Path) -> None:
    log_in(tmp_path, None)
    with pytest.raises(NotConfigured, match="prominence login"):
        found(tmp_path, tmp_path)


def test_the_environment_comes_before_every_file(tmp_path: Path) -> None:
    a_file(tmp_path / ".pool" / "env")
    environment = {"PROMINENCE_URL": "https://one.test/v1/", "PROMINENCE_TOKEN": "x"}
    service = found(tmp_path, tmp_path, environment)
    assert (service.url, service.token) == ("https://one.test/v1", "x")


def test_the_named_file_comes_before_the_pool_file(tmp_path: Path) -> None:
    a_file(tmp_path / ".pool" / "env", token="pool")
    named = a_file(tmp_path / "elsewhere", token="named")
    assert found(tmp_path, tmp_path, {"PROMINENCE_ENV": str(named)}).token == "named"


def test_the_pool_file_comes_before_the_default_state(tmp_path: Path) -> None:
    a_file(tmp_path / ".local/state/prominence/default/env", token="state")
    assert found(tmp_path, tmp_path).token == "state"
    a_file(tmp_path / ".pool" / "env", token="pool")
    assert found(tmp_path, tmp_path).token == "pool"


def test_the_state_directory_may_be_named(tmp_path: Path) -> None:
    a_file(tmp_path / "xdg/prominence/default/env", token="xdg")
    assert found(tmp_path, tmp_path, {"XDG_STATE_HOME": str(tmp_path / "xdg")}).token == "xdg"


def test_a_token_is_never_sent_to_an_address_from_another_place(tmp_path: Path) -> None:
    a_file(tmp_path / ".pool" / "env", url="https://evil.test/v1")
    with pytest.raises(NotConfigured, match="PROMINENCE_URL is missing in the environment"):
        found(tmp_path, tmp_path, {"PROMINENCE_TOKEN": "secret"})
    with pytest.raises(NotConfigured, match="PROMINENCE_TOKEN is missing in the environment"):
        found(tmp_path, tmp_path, {"PROMINENCE_URL": "https://one.test/v1"})


def test_a_pool_file_in_a_parent_counts_up_to_the_repository_root(tmp_path: Path) -> None:
    inner = tmp_path / "repository" / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "repository" / ".git").mkdir()
    a_file(tmp_path / ".pool" / "env", token="outside")
    with pytest.raises(NotConfigured):
        found(inner, tmp_path / "home")
    a_file(tmp_path / "repository" / ".pool" / "env", token="inside")
    assert found(inner, tmp_path / "home").token == "inside"


def test_a_pool_file_in_a_parent_counts_up_to_the_home_directory(tmp_path: Path) -> None:
    inner = tmp_path / "home" / "a"
    inner.mkdir(parents=True)
    a_file(tmp_path / ".pool" / "env", token="outside")
    with pytest.raises(NotConfigured):
        found(inner, tmp_path / "home")
    a_file(tmp_path / "home" / ".pool" / "env", token="inside")
    assert found(inner, tmp_path / "home").token == "inside"


def test_outside_of_repository_and_home_only_the_current_directory_counts(tmp_path: Path) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    a_file(tmp_path / ".pool" / "env")
    with pytest.raises(NotConfigured):
        found(inner, tmp_path / "home")


def test_a_link_to_the_state_directory_is_followed(tmp_path: Path) -> None:
    state = a_file(tmp_path / "state" / "env", token="linked")
    (tmp_path / ".pool").mkdir()
    (tmp_path / ".pool" / "env").symlink_to(state)
    assert found(tmp_path, tmp_path).token == "linked"


@pytest.mark.parametrize("mode", [0o602, 0o620, 0o666])
def test_a_pool_file_that_others_may_write_is_passed_over_with_a_warning(tmp_path: Path, mode: int) -> None:
    a_file(tmp_path / ".pool" / "env").chmod(mode)
    warnings: list[str] = []
    with pytest.raises(NotConfigured):
        found(tmp_path, tmp_path, warnings=warnings)
    assert warnings == [f"{tmp_path / '.pool' / 'env'} is not used: others may write to it."]


def test_a_pool_file_of_another_user_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    a_file(tmp_path / ".pool" / "env")
    warnings: list[str] = []
    with pytest.raises(NotConfigured):
        found(tmp_path, tmp_path, user_id=US + 1, warnings=warnings)
    assert warnings == [f"{tmp_path / '.pool' / 'env'} is not used: it belongs to another user."]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host/v1",
        "ftp://host/v1",
        "http:///v1",
        "http://user:pw@host/v1",
        "http://[::1",
        "http://h:x/",
        "http://a b/",
    ],
)
def test_what_is_no_web_address_is_refused_by_name(tmp_path: Path, url: str) -> None:
    a_file(tmp_path / ".pool" / "env", url=url)
    with pytest.raises(NotConfigured, match="PROMINENCE_URL"):
        found(tmp_path, tmp_path)


@pytest.mark.parametrize("token", ["two words", "sn\u00f6", "a\x1bb"])
def test_a_token_that_cannot_be_sent_is_refused_without_showing_it(tmp_path: Path, token: str) -> None:
    environment = {"PROMINENCE_URL": "http://host/v1", "PROMINENCE_TOKEN": token}
    with pytest.raises(NotConfigured) as refusal:
        found(tmp_path, tmp_path, environment)
    assert token not in str(refusal.value)


def test_a_named_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="nothing cannot be read: No such file"):
        found(tmp_path, tmp_path, {"PROMINENCE_ENV": str(tmp_path / "nothing")})


def test_nothing_at_all_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="prominence pool up"):
        found(tmp_path, tmp_path)


def test_the_token_is_not_in_the_words_of_a_service(tmp_path: Path) -> None:
    assert "t.o.k" not in repr(found(a_file(tmp_path / ".pool" / "env").parent.parent, tmp_path))


def test_export_quotes_comments_and_other_lines_are_understood() -> None:
    text = "# PROMINENCE_URL=no\n\n export A=1\nB='two words'\r\nC=\"3=4\"\nnonsense\n"
    assert parse(text) == {"A": "1", "B": "two words", "C": "3=4"}


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    assert all("=" not in name for name in parse(text))
