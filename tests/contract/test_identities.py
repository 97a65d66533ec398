"""What every Identities promises: a good token gives a caller, any other Unauthenticated and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from prominence.core.errors import Unauthenticated
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.restapi.adapters.chain import TokenChain
from prominence.restapi.adapters.issued_tokens import IssuedTokens
from prominence.restapi.adapters.local_tokens import AUDIENCE, ISSUER, LocalTokens
from prominence.restapi.adapters.memory import MemoryIdentities
from prominence.restapi.identity import Appointments, Identity, Scope
from prominence.restapi.ports import Identities
from prominence.restapi.token_records import TokenRecord, keep

KEY = "a key for tests that is long enough"
ALICE = Identity("alice", ("physics", "/vo/chemistry"))
BOB = Identity("bob@example.org")


@dataclass
class World:
    """Identities that know alice and bob, and their tokens."""

    identities: Identities
    token_of: Callable[[Identity], str]


def _memory() -> World:
    return World(MemoryIdentities({ALICE.user: ALICE, BOB.user: BOB}), lambda who: who.user)


def _local_tokens() -> World:
    def token(who: Identity) -> str:
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": who.user, "exp": int(time.time()) + 3600}
        return jwt.encode(claims | ({"groups": list(who.groups)} if who.groups else {}), KEY, algorithm="HS256")

    return World(LocalTokens(SecretStr(KEY)), token)


def _chain() -> World:
    local = _local_tokens()
    issued = IssuedTokens(SecretStr(KEY), MemoryKeyValue())
    return World(TokenChain([issued, local.identities], MemoryKeyValue(), Appointments(), time.time), local.token_of)


def _issued_tokens() -> World:
    store = MemoryKeyValue()
    identities = IssuedTokens(SecretStr(KEY), store)

    def token(who: Identity) -> str:
        now = int(time.time())
        record = TokenRecord(
            id=f"{now:032}", user=who.user, name="", scopes=tuple(Scope), groups=who.groups, made_at=now,
            expires=now + 3600, made_by=who.user,
        )  # fmt: skip
        keep(store, record)
        return identities.sign(record)

    return World(identities, token)


WORLDS = [_memory, _local_tokens, _issued_tokens, _chain]
NAMES = ["memory", "local tokens", "issued tokens", "chain"]


@pytest.fixture(params=WORLDS, ids=NAMES)
def world(request: pytest.FixtureRequest) -> World:
    made = request.param()
    assert isinstance(made, World)
    return made


class TestIdentities:
    @pytest.mark.parametrize("who", [ALICE, BOB])
    def test_a_good_token_gives_its_caller_with_all_groups(self, who: Identity, world: World) -> None:
        assert world.identities.who(world.token_of(who)) == who

    @pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "....", "é", "\x00", "x" * 100_000])
    def test_what_is_no_token_is_nobodys(self, token: str, world: World) -> None:
        with pytest.raises(Unauthenticated):
            world.identities.who(token)

    def test_a_token_that_was_changed_is_nobodys(self, world: World) -> None:
        token = world.token_of(ALICE)
        for changed in (token + "x", token[:-4], token[1:], token.upper()):
            with pytest.raises(Unauthenticated):
                world.identities.who(changed)


@pytest.mark.parametrize("make", WORLDS, ids=NAMES)
@settings(max_examples=50)
@given(token=st.text())
def test_any_text_is_a_token_or_unauthenticated(make: Callable[[], World], token: str) -> None:
    with pytest.raises(Unauthenticated):
        make().identities.who(f"{token}.")
