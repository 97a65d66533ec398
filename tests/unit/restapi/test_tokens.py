"""Tokens that are made here: made, used, listed, revoked; logins, and what happens while nobody can be asked."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jwt
import pytest
from builders_restapi import Api, an_api
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from prominence.core import classads
from prominence.core.errors import Forbidden, Unauthenticated, Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.restapi.adapters.chain import GRACE_S, TokenChain
from prominence.restapi.adapters.issued_tokens import IssuedTokens
from prominence.restapi.adapters.local_tokens import AUDIENCE, ISSUER, LocalTokens
from prominence.restapi.adapters.memory import MemoryWorkerTokens
from prominence.restapi.identity import Appointments, Identity
from prominence.restapi.ports import Identities, NotOurs
from prominence.restapi.token_records import TokenLimits

KEY = SecretStr("a key for tests that is long enough")
DAY = 86_400
APPOINTMENTS = Appointments(operators=frozenset({"olga", "service:portal"}), managers={"physics": frozenset({"mia"})})


def a_login(user: str, *groups: str, seconds: int = DAY) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "groups": list(groups), "exp": now + seconds}
    return jwt.encode(claims, KEY.get_secret_value(), algorithm="HS256")


class Clock:
    """The store's, the API's and the chain's, in step with the tokens' own."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class World:
    """An API that knows callers by tokens of this site; `call` is with any token."""

    def __init__(self, **limits: int) -> None:
        self.clock = Clock()
        self.store = MemoryKeyValue(self.clock)
        self.issued = IssuedTokens(KEY, self.store)
        self.chain = TokenChain([LocalTokens(KEY), self.issued], self.store, APPOINTMENTS, self.clock)
        self.worker_tokens = MemoryWorkerTokens()
        self.api: Api = an_api(
            identities=self.chain,
            store=self.store,
            sign=self.issued.sign,
            token_limits=TokenLimits(**limits),
            worker_tokens=self.worker_tokens,
        )
        self.api.clock.moment = self.api.clock.moment.fromtimestamp(time.time(), self.api.clock.moment.tzinfo)
        self.alice, self.olga = a_login("alice", "physics", "chemistry"), a_login("olga")

    def call(self, token: str, method: str, path: str, **options: Any) -> tuple[int, Any]:
        answer = self.api.call(method, path, headers={"Authorization": f"Bearer {token}"}, **options)
        return answer.status_code, answer.json

    def make(self, login: str, **wanted: Any) -> dict[str, Any]:
        status, record = self.call(login, "POST", "/tokens", json=wanted)
        assert status == 201, record
        assert isinstance(record, dict)
        return record

    def error(self, token: str, method: str, path: str, **options: Any) -> tuple[int, str]:
        status, body = self.call(token, method, path, **options)
        return status, body["error"]


@pytest.fixture
def world() -> World:
    return World()


def test_a_token_acts_for_its_user_as_far_as_its_scopes_go(world: World) -> None:
    token = world.make(world.alice, name="nightly", scopes=["kv:read"], days=2)["token"]
    assert world.call(token, "GET", "/kv?list") == (200, [])
    status, said = world.error(token, "POST", "/kv/a", data="1")
    assert (status, said) == (403, "The token is not good for this; it would need kv:write.")
    assert world.call(token, "GET", "/whoami")[1] | {"expires": 0} == {
        "user": "alice",
        "groups": ["physics", "chemistry"],
        "roles": ["user"],
        "scopes": ["kv:read"],
        "expires": 0,
    }


def test_old_clients_can_see_until_when_a_token_is_good(world: World) -> None:
    record = world.make(world.alice, days=2)
    claims = jwt.decode(record["token"], options={"verify_signature": False})
    assert claims["exp"] == record["expires"] == record["madeAt"] + 2 * DAY


def test_neither_the_store_nor_a_list_has_the_token(world: World) -> None:
    token = world.make(world.alice, name="x")["token"]
    kept = b"".join(entry.key.encode() + entry.value for entry in world.store.list(""))
    _, listed = world.call(world.alice, "GET", "/tokens")
    for part in token.split("."):
        assert part.encode() not in kept
        assert part not in json.dumps(listed)
    assert [one["name"] for one in listed] == ["x"]


def test_a_revoked_token_is_good_for_nothing_from_the_next_request_on(world: World) -> None:
    record, other = world.make(world.alice), world.make(world.alice)
    assert world.call(record["token"], "GET", "/kv?list")[0] == 200
    assert world.call(world.alice, "DELETE", f"/tokens/{record['id']}") == (200, {})
    assert world.error(record["token"], "GET", "/kv?list") == (401, "The token has been revoked; get a new one.")
    assert world.call(other["token"], "GET", "/kv?list")[0] == 200
    assert world.error(world.alice, "DELETE", f"/tokens/{record['id']}")[0] == 404


def test_an_expired_token_and_its_record_are_gone(world: World) -> None:
    world.make(world.alice, days=1)
    world.clock.ahead = DAY + 2
    assert world.call(a_login("alice", seconds=3 * DAY), "GET", "/tokens") == (200, [])
    assert not [entry for entry in world.store.list("/prominence/tokens/issued")]


def test_no_token_makes_or_revokes_tokens(world: World) -> None:
    record = world.make(world.alice, scopes=["jobs:write", "kv:write", "operate"])
    for method, path in (("POST", "/tokens"), ("GET", "/tokens"), ("DELETE", f"/tokens/{record['id']}")):
        assert world.error(record["token"], method, path, json={})[0] == 403
    assert world.error(world.alice, "POST", "/tokens", json={"scopes": ["tokens"]})[0] == 400


def test_who_logs_out_with_a_token_has_revoked_it(world: World) -> None:
    record = world.make(world.alice)
    assert world.call(record["token"], "POST", "/logout") == (200, {})
    assert world.error(record["token"], "GET", "/whoami")[0] == 401
    assert world.call(world.alice, "GET", "/tokens") == (200, [])


def test_who_logs_out_of_a_login_needs_another(world: World) -> None:
    other = a_login("alice", seconds=DAY + 1)
    token = world.make(world.alice)["token"]
    assert world.call(world.alice, "POST", "/logout") == (200, {})
    said = "Somebody has logged out with this token; log in again."
    assert world.error(world.alice, "GET", "/whoami") == (401, said)
    assert world.call(other, "GET", "/whoami")[0] == world.call(token, "GET", "/kv?list")[0] == 200
    assert world.alice not in str(world.store.list(""))


def test_a_logout_is_remembered_for_as_long_as_the_login_would_have_been_good(world: World) -> None:
    world.call(world.alice, "POST", "/logout")
    world.clock.ahead = DAY - 10
    assert len(world.store.list("/prominence/tokens/ended")) == 1
    world.clock.ahead = 3 * DAY
    assert world.store.list("/prominence/tokens/ended") == []


def test_an_operator_sees_and_revokes_everybodys_tokens(world: World) -> None:
    record = world.make(world.alice)
    assert world.error(world.alice, "GET", "/tokens?all") == (403, "Operators alone see the tokens of others.")
    status, listed = world.call(world.olga, "GET", "/tokens?all")
    assert [(one["id"], one["user"]) for one in listed] == [(record["id"], "alice")]
    assert world.call(world.olga, "GET", "/tokens")[1] == []
    assert world.call(world.olga, "DELETE", f"/tokens/{record['id']}")[0] == 200
    assert world.error(record["token"], "GET", "/kv?list")[0] == 401


def test_an_operator_makes_tokens_for_services(world: World) -> None:
    record = world.make(world.olga, service="portal", groups=["physics"], scopes=["jobs:write", "operate"])
    _, who = world.call(record["token"], "GET", "/whoami")
    assert (who["user"], who["groups"], who["roles"]) == ("service:portal", ["physics"], ["service", "operator"])
    other = world.make(world.olga, service="other")
    assert world.call(other["token"], "GET", "/whoami")[1]["roles"] == ["service"]
    assert world.error(world.alice, "POST", "/tokens", json={"service": "portal"})[0] == 403


def test_nobody_is_a_service_by_name(world: World) -> None:
    assert world.error(a_login("service:portal"), "GET", "/whoami")[0] == 401


@pytest.mark.parametrize(
    ("wanted", "mistake"),
    [
        ({"scopes": []}, "scopes: at least one is needed"),
        ({"scopes": ["jobs"]}, "scopes[0]: must be one of"),
        ({"days": 0}, "days: must be at least 1"),
        ({"days": 366}, "days: must be at most 365"),
        ({"name": "a\nb"}, "name: may hold letters"),
        ({"groups": ["ops"]}, "groups: a token of yours has your own groups"),
        ({"user": "bob"}, "user: unknown field"),
        ([], "must be an object"),
    ],
)
def test_a_request_for_a_token_is_checked(wanted: Any, mistake: str, world: World) -> None:
    status, said = world.error(world.alice, "POST", "/tokens", json=wanted)
    assert status == 400
    assert said.startswith(mistake)


def test_a_user_has_so_many_tokens_and_no_more() -> None:
    world = World(most=2)
    records = [world.make(world.alice) for _ in range(2)]
    assert world.error(world.alice, "POST", "/tokens", json={})[0] == 507
    world.make(world.olga)
    world.call(world.alice, "DELETE", f"/tokens/{records[0]['id']}")
    world.make(world.alice)


def test_a_token_cannot_be_made_to_say_more(world: World) -> None:
    record = world.make(world.alice, scopes=["kv:read"])
    claims = jwt.decode(record["token"], options={"verify_signature": False})
    # Even somebody with the key gets no more out of a record than is in it.
    for changes in ({"scopes": ["kv:write"]}, {"exp": claims["exp"] + DAY}):
        token = jwt.encode(claims | changes, KEY.get_secret_value(), algorithm="HS256")
        assert world.error(token, "POST", "/kv/a", data="1")[0] == 403
    for changes in ({"sub": "bob"}, {"jti": "0" * 32}, {"sub": "alice/" + record["id"], "jti": ""}, {"iss": ISSUER}):
        token = jwt.encode(claims | changes, KEY.get_secret_value(), algorithm="HS256")
        status, _ = world.call(token, "GET", "/kv?list")
        assert status == (200 if changes == {"iss": ISSUER} else 401)


def test_roles_come_from_the_settings(world: World) -> None:
    for login, roles, manages in (
        (world.alice, ["user"], None),
        (world.olga, ["user", "operator"], []),
        (a_login("mia"), ["user", "manager"], ["physics"]),
    ):
        _, who = world.call(login, "GET", "/whoami")
        assert (who["roles"], who.get("manages")) == (roles, manages)


class TestOutage:
    """While the store, or a provider, does not answer."""

    def test_who_was_here_a_moment_ago_is_known_and_nobody_else_is(self, world: World) -> None:
        token, unused = (world.make(world.alice)["token"] for _ in range(2))
        bob = a_login("bob")
        for known in (world.alice, token):
            world.call(known, "GET", "/whoami")
        world.store.unavailable = "etcd does not answer."
        assert world.call(world.alice, "GET", "/whoami")[0] == world.call(token, "GET", "/whoami")[0] == 200
        assert world.call(bob, "GET", "/whoami")[0] == world.call(unused, "GET", "/whoami")[0] == 503
        world.clock.ahead = GRACE_S + 1
        assert world.call(world.alice, "GET", "/whoami")[0] == 503
        world.store.unavailable = ""
        assert world.call(bob, "GET", "/whoami")[0] == 200

    def test_what_has_ended_is_not_known_any_more(self, world: World) -> None:
        token = world.make(world.alice)
        world.call(token["token"], "GET", "/whoami")
        world.call(world.alice, "GET", "/whoami")
        world.call(world.alice, "DELETE", f"/tokens/{token['id']}")
        world.call(token["token"], "GET", "/whoami")
        world.call(world.alice, "POST", "/logout")
        world.call(world.alice, "GET", "/whoami")
        world.store.unavailable = "etcd does not answer."
        assert world.call(token["token"], "GET", "/whoami")[0] != 200
        assert world.call(world.alice, "GET", "/whoami")[0] != 200


class Fixed:
    """Identities that always end alike."""

    def __init__(self, end: Identity | Exception) -> None:
        self.end = end

    def who(self, token: str) -> Identity:
        if isinstance(self.end, Exception):
            raise self.end
        return self.end


def a_chain(kinds: Sequence[Identities], clock: Clock | None = None) -> TokenChain:
    return TokenChain(kinds, MemoryKeyValue(), Appointments(), clock or Clock())


def test_each_kind_is_asked_until_one_knows_the_token() -> None:
    not_ours, alice = Fixed(NotOurs("no")), Fixed(Identity("alice"))
    assert a_chain([not_ours, alice, Fixed(Identity("bob"))]).who("x").user == "alice"
    with pytest.raises(Unauthenticated):
        a_chain([not_ours]).who("x")
    with pytest.raises(Unauthenticated, match="expired"):
        a_chain([Fixed(Unauthenticated("It has expired.")), alice]).who("x")
    with pytest.raises(Forbidden):
        a_chain([Fixed(Forbidden("You may not.")), alice]).who("x")
    with pytest.raises(Unavailable):
        a_chain([Fixed(Unavailable("Away.")), alice]).who("x")


def test_a_remembered_caller_is_forgotten_when_their_token_ends() -> None:
    clock = Clock()
    kind = Fixed(Identity("alice", expires=clock() + 60))
    chain = a_chain([kind], clock)
    chain.who("x")
    kind.end = Unavailable("Away.")
    assert chain.who("x").user == "alice"
    clock.ahead = 61
    with pytest.raises(Unavailable):
        chain.who("x")


def test_who_is_refused_is_not_remembered() -> None:
    kind = Fixed(Identity("alice"))
    chain = a_chain([kind])
    chain.who("x")
    for end in (Unauthenticated("No."), Unavailable("Away.")):
        kind.end = end
        with pytest.raises(type(end)):
            chain.who("x")


@given(st.text(max_size=40))
def test_any_text_is_nobodys_token(token: str) -> None:
    world = World()
    with pytest.raises(Unauthenticated):
        world.chain.who(token)


def test_a_login_says_who_it_is_by_a_digest(world: World) -> None:
    found = world.chain.who(world.alice)
    assert found.login
    assert found.token and found.token not in world.alice
    assert replace(found, token="") == Identity("alice", ("physics", "chemistry"))


class TestWorkersOfOnesOwn:
    def test_a_token_for_them_is_their_owners_until_it_is_revoked(self, world: World) -> None:
        status, made = world.call(world.alice, "POST", "/token")
        assert status == 201
        assert made == {
            "token": "worker-token-1",
            "owner": classads.owner("alice"),
            "expires": int(world.api.clock.now().timestamp()) + 600,
            "collector": "condor.example.org",
            "trustDomain": "prominence",
        }
        world.call(a_login("bob"), "POST", "/token")
        assert world.worker_tokens.good == {
            "worker-token-1": classads.owner("alice"),
            "worker-token-2": classads.owner("bob"),
        }
        assert world.call(world.alice, "DELETE", "/token") == (200, {})
        assert world.worker_tokens.good == {"worker-token-2": classads.owner("bob")}

    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    def test_where_there_can_be_none_that_is_said(self, world: World, method: str) -> None:
        world.worker_tokens.silent = True
        assert world.error(world.alice, method, "/token")[0] == 503
        api = an_api(worker_tokens=None)
        said = {"error": "This service takes no workers of users: its pool makes its own.", "reasonCode": "Forbidden"}
        assert (api.call(method, "/token").status_code, api.call(method, "/token").json) == (403, said)

    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    def test_no_token_of_a_script_gets_one(self, world: World, method: str) -> None:
        record = world.make(world.alice, scopes=["jobs:write", "operate"])
        assert world.error(record["token"], method, "/token")[0] == 403
        assert world.worker_tokens.good == {}
