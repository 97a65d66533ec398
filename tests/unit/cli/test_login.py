"""Logging in, and the login that is kept: what the provider is asked, and what is made of its answers."""

from __future__ import annotations

import base64
import errno
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from builders_cli import NOON, TOKEN, URL, PretendClock, a_session, answer
from click.testing import CliRunner, Result
from requests.adapters import BaseAdapter

from prominence.cli.errors import NotConfigured, Unreachable
from prominence.cli.identity_provider import Client, IdentityProvider, LoginRefused
from prominence.cli.main import command_line
from prominence.cli.saved_login import EARLY_S, Files, SavedLogin, end_of
from prominence.cli.surroundings import Surroundings

OIDC = "http://login.test"
CLIENT = Client("an id", "s3cret:/")
DEVICE = {"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": f"{OIDC}/device", "expires_in": 600}
TOKENS = {"access_token": "new", "refresh_token": "r2", "expires_in": 300}
DESCRIBED = {
    "device_authorization_endpoint": f"{OIDC}/d",
    "token_endpoint": f"{OIDC}/t",
    "registration_endpoint": f"{OIDC}/r",
    "revocation_endpoint": f"{OIDC}/v",
}

Reply = tuple[int, Any] | Exception


@dataclass
class FakeProvider(BaseAdapter):
    """A provider that answers by path, the last answer of each path for ever."""

    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[requests.PreparedRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        usual: dict[str, list[Reply]] = {
            "/.well-known/openid-configuration": [(200, DESCRIBED)],
            "/r": [(201, {"client_id": "mine", "client_secret": "s3cret"})],
            "/d": [(200, DEVICE)],
            "/t": [(200, TOKENS)],
            "/v": [(200, b"")],
            "/prominence/v1/logout": [(200, {})],
        }
        self.replies = {**usual, **self.replies}

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.asked.append(request)
        replies = self.replies.get(request.path_url, [(404, b"<html>")])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        return answer(request, *reply)

    def close(self) -> None:
        pass

    def forms(self, path: str) -> list[dict[str, str]]:
        """What was sent to this path."""
        bodies = [parse_qs(str(request.body)) for request in self.asked if request.path_url == path]
        return [{name: values[0] for name, values in body.items()} for body in bodies]

    def provider(self) -> IdentityProvider:
        return IdentityProvider(OIDC, a_session(self))  # type: ignore[arg-type]  # any adapter will do


def pending(word: str = "authorization_pending") -> Reply:
    return (400, {"error": word})


def log_in(fake: FakeProvider, clock: PretendClock | None = None) -> dict[str, Any]:
    return fake.provider().log_in(CLIENT, lambda *_: None, (clock or PretendClock()).clock)


class TestDeviceCode:
    """RFC 8628."""

    def test_the_provider_is_asked_until_somebody_has_typed_the_code_in(self) -> None:
        fake, clock = FakeProvider({"/t": [pending(), pending(), (200, TOKENS)]}), PretendClock()
        told: list[tuple[str, str]] = []
        assert fake.provider().log_in(CLIENT, lambda *words: told.append(words), clock.clock) == TOKENS
        assert told == [(f"{OIDC}/device", "ABCD-EFGH")]
        assert clock.naps == [5, 5, 5]
        assert fake.forms("/t")[-1] == {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": "d",
        }

    def test_the_provider_says_how_often(self) -> None:
        clock = PretendClock()
        log_in(FakeProvider({"/d": [(200, {**DEVICE, "interval": 2})], "/t": [pending(), (200, TOKENS)]}), clock)
        assert clock.naps == [2, 2]

    def test_slow_down_means_five_seconds_more_from_then_on(self) -> None:
        clock = PretendClock()
        log_in(FakeProvider({"/t": [pending("slow_down"), pending(), pending("slow_down"), (200, TOKENS)]}), clock)
        assert clock.naps == [5, 10, 10, 15]

    def test_a_broken_connection_and_a_busy_provider_are_survived_more_slowly(self) -> None:
        clock = PretendClock()
        log_in(FakeProvider({"/t": [requests.ConnectionError(), (503, b"busy"), (429, b""), (200, TOKENS)]}), clock)
        assert clock.naps == [5, 10, 15, 20]

    @pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/d", "/t"])
    @pytest.mark.parametrize("status", [408, 429, 500, 503])
    def test_a_provider_that_is_asked_too_much_has_refused_nothing(self, path: str, status: int) -> None:
        provider = FakeProvider({path: [(status, b"<html>")]}).provider()
        with pytest.raises(Unreachable, match="cannot work at the moment"):
            _ = provider.log_in(CLIENT, print, PretendClock().clock) if path == "/d" else provider.refresh(CLIENT, "r1")

    @pytest.mark.parametrize("word", ["access_denied", "expired_token", "invalid_client", "invalid_grant", "nonsense"])
    def test_any_other_word_ends_it(self, word: str) -> None:
        fake = FakeProvider({"/t": [pending(), (400, {"error": word, "error_description": "No, says the owner."})]})
        with pytest.raises(LoginRefused, match=r"gives out no token: No, says the owner\.$") as refusal:
            log_in(fake)
        assert refusal.value.exit_code == 126

    def test_a_code_that_nobody_typed_in_ends_it(self) -> None:
        clock = PretendClock()
        with pytest.raises(LoginRefused, match="Nobody typed the code in"):
            log_in(FakeProvider({"/t": [pending()]}), clock)
        assert sum(clock.naps) == 600

    @pytest.mark.parametrize("lives", [None, "x", 0, -1, 10**9, True])
    def test_there_is_an_end_to_it_whatever_the_provider_says(self, lives: object) -> None:
        clock = PretendClock()
        with pytest.raises(LoginRefused):
            log_in(
                FakeProvider({"/d": [(200, {**DEVICE, "expires_in": lives, "interval": lives})], "/t": [pending()]}),
                clock,
            )
        assert sum(clock.naps) <= 1800 + 10**9 * (lives == 10**9)

    def test_who_may_not_have_a_refresh_token_does_without(self) -> None:
        fake = FakeProvider({"/d": [(400, {"error": "invalid_scope"}), (200, DEVICE)]})
        assert log_in(fake) == TOKENS
        assert [form["scope"] for form in fake.forms("/d")] == [
            "openid profile email offline_access",
            "openid profile email",
        ]

    def test_the_secret_is_encoded_as_the_standard_says(self) -> None:
        fake = FakeProvider()
        log_in(fake)
        sent = fake.asked[-1].headers["Authorization"].removeprefix("Basic ")
        assert base64.b64decode(sent) == b"an%20id:s3cret%3A%2F"

    def test_a_provider_that_does_not_describe_itself_is_asked_at_the_usual_places(self) -> None:
        fake = FakeProvider(
            {
                "/.well-known/openid-configuration": [(404, b"")],
                "/devicecode": [(200, DEVICE)],
                "/token": [(200, TOKENS)],
            }
        )
        assert log_in(fake) == TOKENS

    @pytest.mark.parametrize(
        "reply", [(200, {}), (200, b"<html>"), (200, [1]), (400, b""), (200, {**DEVICE, "user_code": 7})]
    )
    def test_a_strange_answer_is_a_refusal(self, reply: Reply) -> None:
        with pytest.raises(LoginRefused, match="gives out no code"):
            log_in(FakeProvider({"/d": [reply]}))


@pytest.mark.parametrize("address", ["", "login.test", "ftp://x", "https://"])
def test_what_is_no_address_of_a_provider_is_refused(address: str) -> None:
    with pytest.raises(NotConfigured):
        IdentityProvider(address, requests.Session())


def run(fake: FakeProvider, home: Path, *words: str, **environment: str) -> Result:
    """A command with this provider, whose API is http://api.test."""
    surroundings = Surroundings(
        environment={"PROMINENCE_URL": URL, "PROMINENCE_OIDC_URL": OIDC, **environment},
        directory=home,
        home=home,
        user_id=0,
        clock=PretendClock().clock,
        today=lambda: NOON,
        session=a_session(fake),  # type: ignore[arg-type]
    )
    return CliRunner().invoke(command_line, list(words), obj=surroundings)


def saved(home: Path, name: str = "token") -> dict[str, Any]:
    found = json.loads((home / ".prominence" / name).read_text())
    assert isinstance(found, dict)
    return found


class TestCommands:
    """`prominence login, register, logout`."""

    def test_a_login_is_kept_for_its_owner_alone_as_the_published_client_reads_it(self, tmp_path: Path) -> None:
        result = run(FakeProvider(), tmp_path, "login")
        assert (result.exit_code, result.stdout) == (0, "")
        assert f"Open {OIDC}/device in a browser and enter the code ABCD-EFGH." in result.stderr
        assert saved(tmp_path) == {
            **TOKENS,
            "prominence_url": URL,
            "prominence_oidc_url": OIDC,
            "prominence_expires_at": NOON + 300,
        }
        assert saved(tmp_path, "client") == {
            "client_id": "mine",
            "client_secret": "s3cret",
            "prominence_oidc_url": OIDC,
        }
        for path in (tmp_path / ".prominence").iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / ".prominence").stat().st_mode) == 0o700
        assert "s3cret" not in result.output and "new" not in result.output

    def test_the_command_becomes_known_to_a_provider_once(self, tmp_path: Path) -> None:
        fake = FakeProvider()
        assert run(fake, tmp_path, "register").exit_code == 0
        assert "already" in run(fake, tmp_path, "register").stderr
        run(fake, tmp_path, "login")
        assert len([one for one in fake.asked if one.path_url == "/r"]) == 1
        run(fake, tmp_path, "login", "--oidc-url", "http://other.test", PROMINENCE_OIDC_URL="")
        assert saved(tmp_path, "client")["prominence_oidc_url"] == "http://other.test"

    def test_the_published_clients_registration_is_used(self, tmp_path: Path) -> None:
        Files(tmp_path).write(Files(tmp_path).client, {"client_id": "old", "client_secret": "x"})
        fake = FakeProvider()
        run(fake, tmp_path, "login")
        assert fake.forms("/d")[0]["client_id"] == "old"

    def test_a_client_of_the_environment_comes_first(self, tmp_path: Path) -> None:
        fake = FakeProvider()
        known = {"PROMINENCE_OIDC_CLIENT_ID": "site", "PROMINENCE_OIDC_CLIENT_SECRET": "x"}
        assert run(fake, tmp_path, "login", **known).exit_code == 0
        assert fake.forms("/d")[0]["client_id"] == "site"
        assert not (tmp_path / ".prominence" / "client").exists()

    @pytest.mark.parametrize("path", ["/d", "/t"])
    def test_a_provider_that_has_forgotten_the_command_is_told_of_it_again(self, path: str, tmp_path: Path) -> None:
        run(FakeProvider(), tmp_path, "register")
        known = (200, DEVICE if path == "/d" else TOKENS)
        result = run(FakeProvider({path: [(401, {"error": "invalid_client"}), known]}), tmp_path, "login")
        assert (result.exit_code, saved(tmp_path)["access_token"]) == (0, "new"), result.stderr
        fake = FakeProvider({path: [(401, {"error": "invalid_client"})]})
        given = {"PROMINENCE_OIDC_CLIENT_ID": "given", "PROMINENCE_OIDC_CLIENT_SECRET": "x"}
        assert run(fake, tmp_path, "login", **given).exit_code == 126
        assert run(fake, tmp_path, "login").exit_code == 126
        assert [one.path_url for one in fake.asked].count("/r") == 1

    def test_a_provider_must_be_named(self, tmp_path: Path) -> None:
        result = run(FakeProvider(), tmp_path, "login", PROMINENCE_OIDC_URL="")
        assert (result.exit_code, "PROMINENCE_OIDC_URL" in result.stderr) == (126, True)

    @pytest.mark.parametrize("content", [b"{}", b"[]", b"null", b'{"error": "x"}', b"", b"\xff"])
    def test_a_login_that_is_none_is_replaced(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / ".prominence").mkdir()
        (tmp_path / ".prominence/token").write_bytes(content)
        result = run(FakeProvider(), tmp_path, "login")
        assert (result.exit_code, saved(tmp_path)["access_token"]) == (0, "new"), result.stderr

    def test_a_login_that_cannot_be_written_leaves_nothing_of_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        run(FakeProvider(), tmp_path, "register")
        monkeypatch.setattr("json.dump", full)
        assert run(FakeProvider(), tmp_path, "login").exit_code == 125
        assert sorted(one.name for one in (tmp_path / ".prominence").iterdir()) == [".lock", "client"]

    def test_a_login_that_fails_leaves_the_old_one(self, tmp_path: Path) -> None:
        run(FakeProvider(), tmp_path, "login")
        before = saved(tmp_path)
        assert run(FakeProvider({"/t": [(400, {"error": "access_denied"})]}), tmp_path, "login").exit_code == 126
        assert saved(tmp_path) == before

    def test_logging_out_ends_it_everywhere(self, tmp_path: Path) -> None:
        fake = FakeProvider()
        run(fake, tmp_path, "login")
        result = run(fake, tmp_path, "logout", PROMINENCE_TOKEN=TOKEN)
        assert (result.exit_code, result.stderr) == (0, "Logged out.\n")
        [ended] = [one for one in fake.asked if one.path_url == "/prominence/v1/logout"]
        assert ended.headers["Authorization"] == "Bearer new"
        assert [form["token"] for form in fake.forms("/v")] == ["r2", "new"]
        assert not (tmp_path / ".prominence" / "token").exists()
        assert run(fake, tmp_path, "logout").exit_code == 126

    def test_where_it_cannot_be_ended_is_told_and_the_file_is_gone_all_the_same(self, tmp_path: Path) -> None:
        run(FakeProvider(), tmp_path, "login")
        away = FakeProvider({"/v": [requests.ConnectionError()], "/prominence/v1/logout": [(503, {"error": "Later."})]})
        result = run(away, tmp_path, "logout")
        assert result.exit_code == 0
        assert "At the service the login has not ended" in result.stderr
        assert "At the identity provider the login has not ended" in result.stderr
        assert not (tmp_path / ".prominence" / "token").exists()

    @pytest.mark.parametrize("reply", [(503, b""), (429, b""), (401, {"error": "invalid_client"})])
    def test_a_provider_that_does_not_end_the_login_is_told(self, reply: Reply, tmp_path: Path) -> None:
        run(FakeProvider(), tmp_path, "login")
        result = run(FakeProvider({"/v": [reply]}), tmp_path, "logout")
        assert result.exit_code == 0
        assert "At the identity provider the login has not ended" in result.stderr

    def test_a_provider_that_ends_refresh_tokens_alone_has_ended_the_login(self, tmp_path: Path) -> None:
        run(FakeProvider(), tmp_path, "login")
        fake = FakeProvider({"/v": [(200, b""), (400, {"error": "unsupported_token_type"})]})
        assert run(fake, tmp_path, "logout").stderr == "Logged out.\n"

    def test_a_login_that_the_service_does_not_know_any_more_has_ended_there(self, tmp_path: Path) -> None:
        run(FakeProvider(), tmp_path, "login")
        result = run(FakeProvider({"/prominence/v1/logout": [(401, {"error": "expired"})]}), tmp_path, "logout")
        assert result.stderr == "Logged out.\n"


def a_saved_login(home: Path, fake: FakeProvider, now: float = NOON, **login: Any) -> SavedLogin:
    kept = {"access_token": "old", "refresh_token": "r1", "prominence_oidc_url": OIDC, "prominence_url": URL, **login}
    Files(home).write(Files(home).token, {name: value for name, value in kept.items() if value is not None})
    return SavedLogin(Files(home), lambda _: CLIENT, lambda _: fake.provider(), lambda: now)


class TestSavedLogin:
    """The token that is kept, and its renewal."""

    def test_a_token_that_is_good_is_used_as_it_is(self, tmp_path: Path) -> None:
        fake = FakeProvider()
        for ends in (NOON + EARLY_S + 1, None):
            assert a_saved_login(tmp_path, fake, prominence_expires_at=ends)() == "old"
        assert fake.asked == []

    @pytest.mark.parametrize("ends", [NOON - 1000, NOON, NOON + EARLY_S])
    def test_a_token_that_has_nearly_ended_is_renewed_once(self, ends: int, tmp_path: Path) -> None:
        fake = FakeProvider()
        login = a_saved_login(tmp_path, fake, prominence_expires_at=ends)
        assert (login(), login()) == ("new", "new")
        assert fake.forms("/t") == [{"grant_type": "refresh_token", "refresh_token": "r1"}]
        kept = saved(tmp_path)
        assert (kept["refresh_token"], kept["prominence_url"], kept["prominence_expires_at"]) == ("r2", URL, NOON + 300)

    def test_a_provider_that_gives_no_new_refresh_token_means_the_old_one(self, tmp_path: Path) -> None:
        fake = FakeProvider({"/t": [(200, {"access_token": "new", "expires_in": 300})]})
        a_saved_login(tmp_path, fake, prominence_expires_at=NOON)()
        assert saved(tmp_path)["refresh_token"] == "r1"

    def test_a_jwt_of_the_published_client_says_itself_when_it_ends(self, tmp_path: Path) -> None:
        claims = base64.urlsafe_b64encode(json.dumps({"exp": NOON}).encode()).rstrip(b"=").decode()
        fake = FakeProvider()
        assert a_saved_login(tmp_path, fake, access_token=f"x.{claims}.y")() == "new"

    def test_without_a_way_to_renew_it_the_token_is_used_to_its_end(self, tmp_path: Path) -> None:
        for missing in ("refresh_token", "prominence_oidc_url"):
            fake = FakeProvider()
            assert a_saved_login(tmp_path, fake, **{missing: None, "prominence_expires_at": NOON + 1})() == "old"
            with pytest.raises(NotConfigured, match="Your login has ended"):
                a_saved_login(tmp_path, fake, **{missing: None, "prominence_expires_at": NOON})()
            assert fake.asked == []

    def test_a_provider_that_is_away_is_waited_for_only_when_the_token_has_ended(self, tmp_path: Path) -> None:
        fake = FakeProvider({"/t": [requests.ConnectionError()]})
        assert a_saved_login(tmp_path, fake, prominence_expires_at=NOON + 1)() == "old"
        with pytest.raises(Unreachable):
            a_saved_login(tmp_path, fake, prominence_expires_at=NOON - 1)()

    def test_a_login_that_the_provider_has_ended_must_be_made_anew(self, tmp_path: Path) -> None:
        fake = FakeProvider({"/t": [(400, {"error": "invalid_grant"})]})
        with pytest.raises(NotConfigured, match=r"Your login has ended: .*invalid_grant\. Log in again"):
            a_saved_login(tmp_path, fake, prominence_expires_at=NOON)()

    @pytest.mark.parametrize("text", ["raw.jwt.text\n", '{"access_token": "raw.jwt.text"}'])
    def test_a_file_may_hold_the_token_alone(self, text: str, tmp_path: Path) -> None:
        login = a_saved_login(tmp_path, FakeProvider())
        login.files.token.write_text(text)
        assert login() == "raw.jwt.text"

    @pytest.mark.parametrize(
        "text",
        [
            *("[]", "{}", '{"access_token": 7}', "null", "", '{"access_token": ""}'),
            *("s3cret\ns3cret", "\ufeffs3cret", "s3cret→", '{"access_token": "s3cret\\n"}'),
        ],
    )
    def test_a_file_without_a_token_is_said_and_nothing_of_it_is_shown(self, text: str, tmp_path: Path) -> None:
        login = a_saved_login(tmp_path, FakeProvider())
        login.files.token.write_text(text)
        with pytest.raises(NotConfigured, match="holds no token") as refusal:
            login()
        assert "s3cret" not in str(refusal.value)

    def test_without_a_file_nobody_is_logged_in(self, tmp_path: Path) -> None:
        login = a_saved_login(tmp_path, FakeProvider())
        login.files.token.unlink()
        with pytest.raises(NotConfigured, match="not logged in"):
            login()


@pytest.mark.parametrize("login", [{"access_token": text} for text in ("", "a", "a.b.c", "a.e30.c", "a.W10.c", "..")])
def test_when_nobody_knows_when_a_token_ends_it_is_taken_to_be_good(login: Mapping[str, Any]) -> None:
    assert end_of(login) is None
