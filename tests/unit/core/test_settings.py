"""File, environment over it, and a helpful refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError

from prominence.core.errors import Rejected
from prominence.core.settings import Settings, load, shown


class Policy(Settings):
    limit: int = Field(default=3, ge=1, description="Workers at once.")
    users: tuple[str, ...] = ()


class Example(Settings):
    listen: str = "127.0.0.1:80"
    state: Path = Path("/state")
    policy: Policy = Policy()
    clouds: dict[str, Policy] = {}
    token: SecretStr = SecretStr("")


class Demanding(Settings):
    policy: Policy = Policy()
    must: str


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "example.toml"


def mistakes(model: type[Settings], file: Path | None, environment: dict[str, str]) -> list[str]:
    with pytest.raises(Rejected) as caught:
        load(model, "example", file, environment)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_nothing_written_means_the_defaults() -> None:
    assert load(Example, "example", None, {}) == Example()


def test_the_file_changes_defaults_and_the_environment_changes_the_file(file: Path) -> None:
    file.write_text('listen = "[::]:80"\nstate = "/s"\n[policy]\nlimit = 4\nusers = ["a"]\n[clouds.one]\nlimit = 5\n')
    environment = {
        "PROMINENCE_EXAMPLE_STATE": "/t",
        "PROMINENCE_EXAMPLE_POLICY__LIMIT": "6",
        "PROMINENCE_EXAMPLE_CLOUDS__TWO__LIMIT": "7",
        "PROMINENCE_OTHER_LISTEN": "x",
        "PATH": "/bin",
    }
    assert load(Example, "example", file, environment) == Example(
        listen="[::]:80",
        state=Path("/t"),
        policy=Policy(limit=6, users=("a",)),
        clouds={"one": Policy(limit=5), "two": Policy(limit=7)},
    )


def test_lists_and_tables_are_json_in_the_environment_and_their_keys_go_on_top() -> None:
    environment = {
        "PROMINENCE_EXAMPLE_POLICY__USERS": '["a", "b"]',
        "PROMINENCE_EXAMPLE_CLOUDS": '{"one": {"limit": 5}}',
        "PROMINENCE_EXAMPLE_CLOUDS__ONE__LIMIT": "6",
        "PROMINENCE_EXAMPLE_LISTEN": "[::1]:80",
    }
    assert load(Example, "example", None, environment) == Example(
        listen="[::1]:80", policy=Policy(users=("a", "b")), clouds={"one": Policy(limit=6)}
    )


def test_the_environment_can_name_the_file(file: Path) -> None:
    file.write_text('listen = "here"')
    assert load(Example, "example", None, {"PROMINENCE_EXAMPLE_CONFIG": str(file)}).listen == "here"


def test_the_processs_own_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMINENCE_EXAMPLE_LISTEN", "there")
    assert load(Example, "example").listen == "there"


def test_settings_do_not_change_once_loaded() -> None:
    with pytest.raises(ValidationError):
        load(Example, "example", None, {}).listen = "x"  # type: ignore[misc]


def test_all_mistakes_are_named_with_where_they_were_made(file: Path) -> None:
    file.write_text('colour = "red"\n[policy]\nlimit = "many"\n[clouds.one]\nlimit = 0\n')
    environment = {"PROMINENCE_EXAMPLE_POLICY__USERS": "a", "PROMINENCE_EXAMPLE_SIZE": "1"}
    assert mistakes(Example, file, environment) == [
        f"policy.limit: must be a whole number (from {file})",
        "policy.users: must be a list (from PROMINENCE_EXAMPLE_POLICY__USERS)",
        f"clouds.one.limit: must be at least 1 (from {file})",
        f"colour: unknown setting (from {file})",
        "size: unknown setting (from PROMINENCE_EXAMPLE_SIZE)",
    ]


def test_a_missing_setting_says_how_to_set_it(file: Path) -> None:
    file.write_text("")
    assert mistakes(Demanding, file, {}) == [
        f"must: this setting is required; set it in {file} or as PROMINENCE_EXAMPLE_MUST"
    ]
    assert "/etc/prominence/example.toml" in mistakes(Demanding, None, {})[0]


def test_of_a_missing_table_the_settings_are_told_that_must_be_in_it(file: Path) -> None:
    class Outer(Settings):
        inner: Demanding

    file.write_text("")
    assert mistakes(Outer, file, {}) == [
        f"inner.must: this setting is required; set it in {file} or as PROMINENCE_EXAMPLE_INNER__MUST"
    ]
    file.write_text("inner = 1")
    assert mistakes(Outer, file, {}) == [f"inner: must be an object (from {file})"]


def test_a_wrong_value_is_not_repeated(file: Path) -> None:
    file.write_text('token = ["hunter2"]')
    assert mistakes(Example, file, {}) == [f"token: must be a text (from {file})"]


def test_a_file_that_was_asked_for_must_be_there(file: Path) -> None:
    assert mistakes(Example, file, {}) == [f"{file}: there is no such file of settings"]
    assert mistakes(Example, None, {"PROMINENCE_EXAMPLE_CONFIG": str(file)}) == [
        f"{file}: there is no such file of settings"
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert mistakes(Example, tmp_path, {}) == [f"{tmp_path}: cannot be read: Is a directory"]


@pytest.mark.parametrize("content", [b"a =", b"\xff", b"a = 1\na = 2"])
def test_a_file_that_is_not_toml_is_named(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    (mistake,) = mistakes(Example, file, {})
    assert mistake.startswith(f"{file}: is not a TOML file: ")


def test_settings_in_force_are_shown_with_where_they_come_from_and_secrets_as_stars(file: Path) -> None:
    file.write_text('token = "hunter2"\n[policy]\nlimit = 4\n')
    environment = {"PROMINENCE_EXAMPLE_CLOUDS__ONE__LIMIT": "5"}
    settings = load(Example, "example", file, environment)
    text = shown(settings, "example", file, environment)
    assert "hunter2" not in text
    assert [[part.strip() for part in line.replace("#", "=").split("=")] for line in text.splitlines()] == [
        ["listen", '"127.0.0.1:80"', "default"],
        ["state", '"/state"', "default"],
        ["policy.limit", "4", str(file)],
        ["policy.users", "[]", "default"],
        ["clouds.one.limit", "5", "PROMINENCE_EXAMPLE_CLOUDS__ONE__LIMIT"],
        ["clouds.one.users", "[]", "default"],
        ["token", '"**********"', str(file)],
    ]


NAMES = st.text("ABCLIMT_POCY", min_size=1, max_size=12) | st.sampled_from(["POLICY", "POLICY__LIMIT", "CLOUDS__A"])


@given(st.dictionaries(NAMES, st.text(max_size=5) | st.sampled_from(["1", "[]", "{}", '{"limit": 2}']), max_size=4))
def test_any_environment_gives_settings_or_sentences(variables: dict[str, str]) -> None:
    environment = {f"PROMINENCE_EXAMPLE_{name}": value for name, value in variables.items() if name != "CONFIG"}
    try:
        settings = load(Example, "example", None, environment)
    except Rejected as rejected:
        assert all(mistake.message for mistake in rejected.mistakes)
    else:
        assert shown(settings, "example", None, environment)
