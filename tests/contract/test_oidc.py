"""Users of a real identity provider: whose tokens are good, whose are not, and what happens while it is away."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from oidc_provider import AUDIENCE, Key, RealProvider

from prominence.core.errors import Forbidden, Unauthenticated, Unavailable
from prominence.restapi.adapters import oidc
from prominence.restapi.adapters.oidc import KEYS_S, KEYS_STALE_S, NEW_KEY_S, SILENT_S, OidcTokens
from prominence.restapi.identity import Identity
from prominence.restapi.identity_settings import OidcSettings
from prominence.restapi.ports import NotOurs

ALICE = Identity("alice", ("physics", "/vo/chemistry"))


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def provider() -> Iterator[RealProvider]:
    yield from _running("jwt")


@pytest.fixture(scope="module")
def opaque() -> Iterator[RealProvider]:
    yield from _running("opaque")


@pytest.fixture
def own() -> Iterator[RealProvider]:
    """A provider that a test may stop."""
    yield from _running("jwt")


def _running(form: str) -> Iterator[RealProvider]:
    one = RealProvider(form)
    one.start()
    yield one
    one.kill()


def known_by(provider: RealProvider, clock: Clock | None = None, **settings: Any) -> OidcTokens:
    return OidcTokens(OidcSettings(issuer=provider.issuer, audiences=(AUDIENCE,), **settings), clock or Clock())


class TestJwt:
    """Tokens that are checked by the provider's published keys."""

    def test_who_has_logged_in_is_known_with_all_groups(self, provider: RealProvider) -> None:
        for user, expected in (("alice", ALICE), ("bob@example.org", Identity("bob@example.org"))):
            answer = provider.log_in(user)
            found = known_by(provider).who(answer["access_token"])
            assert found == expected
            assert found.login
            assert found.expires is not None and 0 < found.expires - time.time() <= 600

    def test_an_address_is_known_that_the_provider_vouches_for(
        self, provider: RealProvider, opaque: RealProvider
    ) -> None:
        for one, userinfo in ((provider, "never"), (opaque, "opaque")):
            for user, email in (("alice", "alice@example.org"), ("bob@example.org", "")):
                token = one.log_in(user)["access_token"]
                assert known_by(one, userinfo=userinfo).who(token).email == email, (userinfo, user)

    def test_the_name_is_the_claim_that_the_settings_say(self, provider: RealProvider) -> None:
        tokens = known_by(provider, username_claim="preferred_username", groups_claim="edu_person_entitlements")
        assert tokens.who(provider.keys[0].sign(provider.claims())) == Identity("Alice A", ("urn:a", "urn:b"))

    @pytest.mark.parametrize(
        "changes",
        [
            {"aud": "https://other.example.org"},
            {"aud": f"{AUDIENCE}/"},
            {"aud": AUDIENCE[:-1]},
            {"aud": None},
            {"aud": []},
            {"exp": None},
            {"exp": 1},
            {"exp": "never"},
            {"nbf": 10**10},
            {"sub": None},
            {"sub": ""},
            {"sub": " alice"},
            {"sub": "a\nb"},
            {"sub": "service:portal"},
            {"sub": 7},
            {"groups": "physics"},
            {"groups": [7]},
        ],
        ids=str,
    )
    def test_a_claim_that_is_wrong_or_missing_makes_it_nobodys(
        self, changes: dict[str, Any], provider: RealProvider
    ) -> None:
        with pytest.raises(Unauthenticated):
            known_by(provider).who(provider.keys[0].sign(provider.claims(**changes)))

    def test_one_audience_of_several_will_do(self, provider: RealProvider) -> None:
        assert known_by(provider).who(provider.keys[0].sign(provider.claims(aud=["x", AUDIENCE]))) == ALICE

    @pytest.mark.parametrize("issuer", ["https://other.example.org", "", 7, None])
    def test_the_token_of_another_issuer_is_left_to_others(self, issuer: object, provider: RealProvider) -> None:
        claims = {**provider.claims(), "iss": issuer}
        if not isinstance(issuer, str):
            token = by_hand({"alg": "RS256", "kid": "one"}, claims)
        else:
            token = provider.keys[0].sign(claims)
        with pytest.raises(NotOurs):
            known_by(provider).who(token)

    def test_a_clock_may_be_off_by_as_much_as_the_settings_say(self, provider: RealProvider) -> None:
        now = int(time.time())
        for skewed in ({"exp": now - 20}, {"nbf": now + 20}, {"iat": now + 20}):
            token = provider.keys[0].sign(provider.claims(**skewed))
            assert known_by(provider, leeway_s=60).who(token) == ALICE
            with pytest.raises(Unauthenticated):
                known_by(provider, leeway_s=5).who(token)

    def test_another_key_makes_it_nobodys(self, provider: RealProvider) -> None:
        for key in (Key("one"), Key("another")):
            with pytest.raises(Unauthenticated):
                known_by(provider).who(key.sign(provider.claims()))

    @pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS512", "PS256", "ES256", "", None])
    def test_another_algorithm_makes_it_nobodys(self, algorithm: object, provider: RealProvider) -> None:
        with pytest.raises(Unauthenticated):
            known_by(provider).who(by_hand({"alg": algorithm, "kid": "one"}, provider.claims()))

    def test_the_public_key_is_no_secret_to_sign_with(self, provider: RealProvider) -> None:
        public = provider.keys[0].private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        unsigned = by_hand({"alg": "HS256", "kid": "one"}, provider.claims()).rpartition(".")[0]
        signature = base64.urlsafe_b64encode(hmac.digest(public, unsigned.encode(), "sha256")).rstrip(b"=").decode()
        with pytest.raises(Unauthenticated):
            known_by(provider).who(f"{unsigned}.{signature}")

    def test_keys_that_a_token_brings_along_are_not_looked_at(self, provider: RealProvider) -> None:
        mine = Key("mine")
        public = {name: mine.jwk[name] for name in ("kty", "n", "e", "kid")}
        for headers in ({"jwk": public}, {"jku": "http://127.0.0.1:1/keys"}, {"x5u": "http://127.0.0.1:1/"}):
            with pytest.raises(Unauthenticated):
                known_by(provider).who(mine.sign(provider.claims(), **headers))

    def test_a_token_that_was_changed_is_nobodys(self, provider: RealProvider) -> None:
        header, claims, signature = provider.log_in("bob@example.org")["access_token"].split(".")
        alices = provider.keys[0].sign(provider.claims()).split(".")[1]
        for changed in (f"{header}.{alices}.{signature}", f"{header}.{claims}.", f"{header}.{claims}.{signature[:-4]}"):
            with pytest.raises(Unauthenticated):
                known_by(provider).who(changed)


class TestEntitlements:
    """Virtual organisations whose members alone may use the service."""

    @pytest.mark.parametrize(
        ("required", "groups"),
        [
            ({"vo": ("urn:a",)}, ("physics", "/vo/chemistry", "vo")),
            ({"vo": ("urn:a", "urn:b")}, ("physics", "/vo/chemistry", "vo")),
            ({"no": ("urn:a", "urn:c"), "vo": ("urn:b",)}, ("physics", "/vo/chemistry", "vo")),
            ({"vo": ("urn:a",), "physics": ("urn:b",)}, ("physics", "/vo/chemistry", "vo")),
            ({"vo": ("urn:a", "urn:c")}, None),
            ({"vo": ("urn:",)}, None),
            ({"vo": ("urn:aa",)}, None),
        ],
    )
    def test_members_have_all_that_is_required(
        self, required: dict[str, tuple[str, ...]], groups: tuple[str, ...] | None, provider: RealProvider
    ) -> None:
        tokens = known_by(provider, required_entitlements=required)
        token = provider.keys[0].sign(provider.claims())
        if groups is None:
            with pytest.raises(Forbidden, match="you are in none"):
                tokens.who(token)
        else:
            assert tokens.who(token).groups == groups

    @pytest.mark.parametrize("claim", [None, "urn:", 7, {}, [], [7], [["urn:a"]]])
    def test_what_is_no_list_of_entitlements_is_none(self, claim: object, provider: RealProvider) -> None:
        tokens = known_by(provider, required_entitlements={"vo": ("urn:a",)})
        with pytest.raises(Forbidden):
            tokens.who(provider.keys[0].sign(provider.claims(edu_person_entitlements=claim)))

    def test_one_entitlement_may_stand_alone(self, provider: RealProvider) -> None:
        tokens = known_by(provider, required_entitlements={"vo": ("urn:a",)})
        assert "vo" in tokens.who(provider.keys[0].sign(provider.claims(edu_person_entitlements="urn:a"))).groups


class TestKeys:
    """The provider's keys: fetched rarely, current enough, and kept while it is away."""

    def test_a_new_key_is_found_and_an_old_one_forgotten(self, own: RealProvider) -> None:
        clock = Clock()
        tokens = known_by(own, clock)
        old, new = own.keys[0], Key("two")
        assert tokens.who(old.sign(own.claims())) == ALICE
        own.kill()
        own.keys = [new]
        own.start()
        with pytest.raises(Unauthenticated):
            tokens.who(new.sign(own.claims()))
        clock.now += NEW_KEY_S
        assert tokens.who(new.sign(own.claims())) == ALICE
        with pytest.raises(Unauthenticated):
            tokens.who(old.sign(own.claims()))

    def test_tokens_of_unknown_keys_do_not_make_us_ask_again_and_again(
        self, provider: RealProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        get = requests.get
        monkeypatch.setattr(oidc.requests, "get", lambda url, **options: asked.append(url) or get(url, **options))
        tokens = known_by(provider)
        for number in range(20):
            with pytest.raises(Unauthenticated):
                tokens.who(Key("one").sign(provider.claims(), kid=f"unknown-{number}"))
        assert len(asked) == 2  # the discovery document and the keys

    def test_while_it_is_away_its_keys_are_good_and_unknown_ones_are_503(self, own: RealProvider) -> None:
        clock = Clock()
        tokens = known_by(own, clock)
        token = own.keys[0].sign(own.claims())
        assert tokens.who(token) == ALICE
        own.kill()
        clock.now += KEYS_S + 1
        assert tokens.who(token) == ALICE
        clock.now += NEW_KEY_S + SILENT_S
        with pytest.raises(Unavailable) as silent:
            tokens.who(Key("two").sign(own.claims()))
        assert silent.value.retry_after_s
        clock.now += KEYS_STALE_S
        with pytest.raises(Unavailable):
            tokens.who(token)
        own.start()
        clock.now += SILENT_S
        assert tokens.who(token) == ALICE

    def test_one_that_is_away_from_the_start_is_503_and_asked_again_a_little_later(self, own: RealProvider) -> None:
        own.kill()
        clock = Clock()
        tokens = known_by(own, clock)
        token = own.keys[0].sign(own.claims())
        for _ in range(3):
            with pytest.raises(Unavailable):
                tokens.who(token)
        own.start()
        with pytest.raises(Unavailable):
            tokens.who(token)
        clock.now += SILENT_S
        assert tokens.who(token) == ALICE

    def test_one_that_hangs_is_waited_for_once(self, own: RealProvider) -> None:
        tokens = known_by(own, timeout_s=0.5)
        token = own.keys[0].sign(own.claims())
        own.pause()
        began = time.monotonic()
        try:
            for _ in range(20):
                with pytest.raises(Unavailable):
                    tokens.who(token)
        finally:
            own.go_on()
        assert time.monotonic() - began < 5  # and not 20 times as long as it is waited for


class TestUserinfo:
    """Tokens that mean something to the provider alone."""

    def test_the_provider_is_asked_who_it_is_and_its_answer_remembered(self, opaque: RealProvider) -> None:
        clock = Clock()
        tokens = known_by(opaque, clock, userinfo="opaque", remember_s=100)
        token = opaque.log_in("alice")["access_token"]
        assert "." not in token
        assert tokens.who(token) == ALICE
        opaque.post("/revoke", token=token)
        assert tokens.who(token) == ALICE
        clock.now += 101
        with pytest.raises(Unauthenticated, match="does not know the token"):
            tokens.who(token)

    def test_a_token_that_is_not_good_is_asked_for_once(
        self, opaque: RealProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        get = requests.get
        monkeypatch.setattr(oidc.requests, "get", lambda url, **options: asked.append(url) or get(url, **options))
        tokens = known_by(opaque, userinfo="opaque")
        for _ in range(5):
            with pytest.raises(Unauthenticated):
                tokens.who("nobody's")
        assert len(asked) == 2  # the discovery document and the user

    def test_many_unknown_tokens_are_not_all_passed_on(self, opaque: RealProvider) -> None:
        tokens = known_by(opaque, userinfo="opaque")
        ends: list[type[Exception]] = []
        for number in range(6 * oidc.ASKED_PER_S):
            try:
                tokens.who(f"unknown-{number}")
            except (Unauthenticated, Unavailable) as error:
                ends.append(type(error))
        assert ends.count(Unauthenticated) == 5 * oidc.ASKED_PER_S
        assert ends[-1] is Unavailable

    def test_unless_the_settings_say_so_nobody_is_asked(self, opaque: RealProvider) -> None:
        with pytest.raises(NotOurs):
            known_by(opaque).who(opaque.log_in("alice")["access_token"])

    @pytest.mark.parametrize("token", ["", "é", "a b\r\nX: y", "\x00"])
    def test_what_cannot_be_in_a_header_is_nobodys(self, token: str, opaque: RealProvider) -> None:
        with pytest.raises(Unauthenticated):
            known_by(opaque, userinfo="opaque").who(token)

    def test_always_means_that_a_jwt_is_checked_and_the_provider_asked(self, provider: RealProvider) -> None:
        # This provider tells nothing of the users of its JWTs, as some do not.
        with pytest.raises(Unauthenticated):
            known_by(provider, userinfo="always").who(provider.log_in("alice")["access_token"])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["sub", "groups", "edu_person_entitlements", "exp", "aud", "iat", "nbf"]), ANYTHING)
def test_whatever_a_provider_says_a_caller_comes_out_or_a_refusal(
    provider: RealProvider, claim: str, value: object
) -> None:
    tokens = known_by(provider, required_entitlements={"vo": ("urn:a",)})
    with contextlib.suppress(Unauthenticated, Forbidden):
        token = by_hand({"alg": "RS256", "kid": "one"}, {**provider.claims(), claim: value}).rpartition(".")[0]
        found = tokens.who(f"{token}.{provider.keys[0].signature(token)}")
        assert isinstance(found.user, str) and found.user
        assert all(isinstance(group, str) for group in found.groups)


@given(st.text(max_size=60))
def test_any_text_is_nobodys(text: str) -> None:
    tokens = OidcTokens(OidcSettings(issuer="https://nobody.invalid", audiences=("x",)), Clock())
    with pytest.raises(Unauthenticated):
        tokens.who(text)


def by_hand(header: Any, claims: Any, signature: bytes = b"x") -> str:
    """A token that no library would make."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    return f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}.{part(signature)}"
