"""Tokens of this site's own: what is wrong with them never matters, only that it is."""

from __future__ import annotations

import base64
import json
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from prominence.core.errors import Rejected, Unauthenticated
from prominence.restapi import issue
from prominence.restapi.adapters.local_tokens import LocalTokens
from prominence.restapi.identity import Identity

KEY = "a key for tests that is long enough"
TOKENS = LocalTokens(SecretStr(KEY))
LATER, EARLIER = int(time.time()) + 3600, int(time.time()) - 3600
GOOD = {"iss": "prominence-local", "aud": "prominence", "sub": "alice", "groups": ["physics"], "exp": LATER}


def a_token(key: str = KEY, algorithm: str = "HS256", **changes: Any) -> str:
    """With changed claims; those that become None are left out."""
    claims = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm)


def by_hand(header: Any, claims: Any, signature: bytes = b"") -> str:
    """A token that no library would make."""

    def part(content: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part(claims)}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_good_token() -> None:
    assert TOKENS.who(a_token()) == Identity("alice", ("physics",))


def test_groups_are_optional_and_other_claims_are_ignored() -> None:
    assert TOKENS.who(a_token(groups=None, email="alice@example.org", iat=EARLIER)) == Identity("alice")


WRONG = [
    {"exp": EARLIER},
    {"exp": None},
    {"exp": "soon"},
    {"exp": float("inf")},
    {"exp": 1e300},
    {"exp": 10**30},
    {"exp": -(10**30)},
    {"exp": True},
    {"exp": [LATER]},
    {"aud": None},
    {"aud": "other"},
    {"iss": None},
    {"iss": "other"},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"sub": "a\nb"},
    {"sub": " alice"},
    {"sub": "x" * 257},
    {"sub": "\x00"},
    {"nbf": LATER},
    {"groups": "physics"},
    {"groups": [7]},
    {"groups": [""]},
    {"groups": {"physics": 1}},
]


@pytest.mark.parametrize("changes", WRONG, ids=[f"{number}-{[*one][0]}" for number, one in enumerate(WRONG)])
def test_a_claim_that_is_wrong_or_missing_makes_it_nobodys(changes: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.who(jwt.encode({k: v for k, v in {**GOOD, **changes}.items() if v is not None}, KEY, algorithm="HS256"))


def test_an_expired_token_says_so() -> None:
    with pytest.raises(Unauthenticated, match="expired"):
        TOKENS.who(a_token(exp=EARLIER))


def test_another_key_makes_it_nobodys() -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.who(a_token(key=KEY.upper()))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_makes_it_nobodys(algorithm: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the key is short for this one
        token = a_token(algorithm=algorithm)
    with pytest.raises(Unauthenticated):
        TOKENS.who(token)


@pytest.mark.parametrize("name", ["none", "None", "NONE", "", "RS256", None, 7, [], {}])
def test_a_token_without_a_signature_is_nobodys(name: Any) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.who(by_hand({"alg": name, "typ": "JWT"}, GOOD))


nonsense = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(), inner, max_size=2)),
    max_leaves=4,
)


@settings(max_examples=60)
@given(nonsense, nonsense, st.binary(max_size=40))
def test_whatever_somebody_makes_up_is_nobodys(header: Any, claims: Any, signature: bytes) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.who(by_hand(header, claims, signature))


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["alg", "typ", "crit", "b64", "kid", "jku", "x5c"]), nonsense))
def test_whatever_a_header_says_is_nobodys(header: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.who(by_hand(header, GOOD, b"x" * 32))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(Rejected, match="32 bytes"):
        LocalTokens(SecretStr("short"))


def test_the_key_is_never_shown() -> None:
    assert KEY not in repr(vars(TOKENS))


@given(user=st.text(max_size=40), groups=st.lists(st.text(max_size=20), max_size=4), days=st.integers(1, 3650))
def test_a_login_that_was_given_out_is_known_again_or_was_refused(user: str, groups: list[str], days: int) -> None:
    now = datetime.now(UTC)
    try:
        token = TOKENS.issue(user, groups, now, timedelta(days=days))
    except Rejected:
        with pytest.raises(Unauthenticated):
            TOKENS.who(a_token(sub=user, groups=groups))
        return
    until = float(int(now.timestamp()) + days * 86400)
    assert TOKENS.who(token) == Identity(user, tuple(dict.fromkeys(groups)), expires=until)


def test_the_command_prints_a_login(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key").write_text(KEY)
    config = tmp_path / "restapi.toml"
    config.write_text(f'token_key_file = "{tmp_path / "key"}"')
    asked = ["--config", str(config), "ada", "--group", "physics", "--days", "1"]
    assert issue.main(asked) == 0
    known = TOKENS.who(capsys.readouterr().out.strip())
    assert (known.user, known.groups) == ("ada", ("physics",))
    (tmp_path / "key").write_text("short")
    assert issue.main(asked) == 1
    assert "at least 32 bytes" in capsys.readouterr().err
    for days in ("0", "4000", "x"):
        with pytest.raises(SystemExit):
            issue.main([*asked, "--days", days])
