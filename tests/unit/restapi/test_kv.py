"""Keys and values of users: the old client's endpoints, limits, and that nobody sees a neighbour's."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from builders_restapi import Api, an_api
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from prominence.core.errors import QuotaReached, Rejected
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.restapi.kv import LONGEST_KEY, KvLimits, NoSuchKey, Usage, UserKeys, checked

LIMITS = KvLimits(value=100, keys=5, total=300)


@pytest.fixture
def api() -> Api:
    return an_api(kv=LIMITS)


def put(api: Api, key: str, value: str | bytes, query: str = "") -> tuple[int, Any]:
    answer = api.call("POST", f"/kv/{key}{query}", data=value)
    return answer.status_code, answer.json


def error_of(api: Api, method: str, path: str, **options: Any) -> tuple[int, str]:
    answer = api.call(method, path, **options)
    assert answer.json is not None
    assert set(answer.json) == {"error", "reasonCode"}
    return answer.status_code, answer.json["error"]


def test_a_value_is_read_as_it_was_written(api: Api) -> None:
    text = "line one\n  “two” \x00\t$(x) 😀"
    answer = api.call("POST", "/kv/a/b", data=text.encode(), content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json) == (201, {})
    answer = api.call("GET", "/kv/a/b")
    assert (answer.status_code, answer.text) == (200, text)
    assert answer.content_type == "text/plain; charset=utf-8"


def test_a_key_that_is_not_there_is_the_one_thing_that_is_404(api: Api) -> None:
    assert error_of(api, "GET", "/kv/a") == (404, "No such key: a")
    put(api, "ab", "1")
    assert error_of(api, "GET", "/kv/a") == (404, "No such key: a")


@pytest.mark.parametrize("path", ["/kv?list", "/kv?list=true", "/kv/?list=true", "/kv//?list=", "/kv"])
def test_all_keys_are_listed_with_a_slash_before_them(path: str, api: Api) -> None:
    assert api.get(path) == []
    for key in ("b", "a/x", "a", "é"):
        put(api, quote(key), "1")
    assert api.get(path) == ["/a", "/a/x", "/b", "/é"]


def test_keys_that_begin_alike_are_listed_with_their_values_if_asked_to(api: Api) -> None:
    for key in ("run", "run/1", "runs", "ru"):
        put(api, key, f"value of {key}")
    assert api.get("/kv/run?list=true") == ["/run", "/run/1", "/runs"]
    assert api.get("/kv/run/?list=true") == api.get("/kv//run/?list") == ["/run/1"]
    assert api.get("/kv/run/?list&values") == [{"/run/1": "value of run/1"}]
    assert api.get("/kv?list&values=true")[0] == {"/ru": "value of ru"}
    assert api.call("GET", "/kv/run?values").text == "value of run"


def test_as_keys_are_listed_they_can_be_asked_for(api: Api) -> None:
    put(api, "/a/b", "1")
    assert api.get("/kv?list") == ["/a/b"]
    assert api.call("GET", "/kv/" + api.get("/kv?list")[0]).text == "1"


def test_deleting_takes_one_key_or_all_that_begin_alike(api: Api) -> None:
    for key in ("run", "run/1", "runs", "x"):
        put(api, key, "1")
    for _ in range(2):
        answer = api.call("DELETE", "/kv/run")
        assert (answer.status_code, answer.json) == (200, {})
    assert api.get("/kv?list") == ["/run/1", "/runs", "/x"]
    assert api.call("DELETE", "/kv/run?prefix=True").json == {}
    assert api.get("/kv?list") == ["/x"]
    assert api.call("DELETE", "/kv/?prefix").status_code == 200
    assert api.get("/kv?list") == []


def test_deleting_needs_a_key_unless_everything_is_meant(api: Api) -> None:
    put(api, "a", "1")
    assert error_of(api, "DELETE", "/kv/") == (400, "the name of a key is needed")
    assert api.get("/kv?list") == ["/a"]


def test_compare_and_swap_writes_only_over_the_value_that_is_expected(api: Api) -> None:
    assert put(api, "a", "1", "?prev=1")[0] == 400
    assert put(api, "a", "1", "?prev=")[0] == 201
    assert put(api, "a", "2", "?prev=")[0] == 400
    assert put(api, "a", "2", "?prev=1") == (201, {})
    status, said = put(api, "a", "3", "?prev=1")
    assert (status, said["error"]) == (400, "prev: a has another value by now, so it was left as it is")
    assert api.call("GET", "/kv/a").text == "2"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (b"", "a value is needed: it is the body of the request"),
        (b"x" * 101, "the value has 101 bytes; the limit is 100"),
        ("é".encode() * 51, "the value has 102 bytes; the limit is 100"),
        (b"\xff", "the value is not text in UTF-8; encode other data, in base64 for one"),
    ],
)
def test_a_value_that_cannot_be_is_refused(value: bytes, sentence: str, api: Api) -> None:
    assert put(api, "a", value) == (400, {"error": sentence, "reasonCode": "InvalidRequest"})
    assert put(api, "a", b"x" * 100)[0] == 201


@pytest.mark.parametrize(
    "key",
    ["a%00b", "%0a", "%ff", "%ed%a0%80", "..", "../bob/x", "a/../b", "%2e%2e/bob", "..%2fbob", ".", "a//b", "a%2f%2fb",
     "a%2f..%2fb", "x" * (LONGEST_KEY + 1)],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_is_no_key_is_refused(method: str, key: str, api: Api) -> None:
    for query in ("", "?list", "?prefix"):
        status, _ = error_of(api, method, f"/kv/{key}{query}", data="1")
        assert status == 400


def test_a_user_has_so_many_keys_and_bytes_and_no_more(api: Api) -> None:
    for number in range(5):
        assert put(api, str(number), "1")[0] == 201
    assert put(api, "one more", "1") == (
        507,
        {"error": "A user may have 5 keys; delete some first.", "reasonCode": "QuotaReached"},
    )
    assert put(api, "4", "x" * 100)[0] == put(api, "3", "x" * 100)[0] == 201
    status, said = put(api, "2", "x" * 100)
    assert (status, said["error"]) == (507, "A user's keys and values may have 300 bytes; delete some first.")
    assert put(api.as_user("bob"), "mine", "x" * 100)[0] == 201
    assert api.call("DELETE", "/kv/4").status_code == 200
    assert put(api, "2", "x" * 100)[0] == 201


def test_who_is_over_a_limit_that_was_lowered_can_still_write_less(api: Api) -> None:
    UserKeys(api.store, "alice", KvLimits()).set("large", b"x" * 400)
    assert put(api, "large", "x" * 99)[0] == 201


def test_a_store_that_is_away_is_503(api: Api) -> None:
    api.store.unavailable = "etcd does not answer."
    for method, path in (("GET", "/kv?list"), ("GET", "/kv/a"), ("POST", "/kv/a"), ("DELETE", "/kv/a")):
        assert error_of(api, method, path, data="1")[0] == 503


USERS = st.one_of(
    st.text(min_size=1, max_size=6), st.sampled_from(["bob", "bobby", "bob/x", "bob%2Fx", "..", "bo", "/"])
)
KEYS = st.one_of(st.text(max_size=8), st.text("ab/.%\x00", max_size=8))


@given(USERS, USERS, KEYS, KEYS)
def test_whatever_they_are_called_no_two_users_share_a_key(one: str, other: str, key: str, prefix: str) -> None:
    store = MemoryKeyValue()
    hers, his = UserKeys(store, one, KvLimits()), UserKeys(store, other, KvLimits())
    try:
        hers.set(key, b"hers")
        key = checked(key)
        listed, below = his.keys(prefix), his.values(prefix)
    except (Rejected, UnicodeEncodeError):  # half a surrogate pair in a user's name: no token holds one
        return
    if one == other:
        assert his.get(key) == "hers"
        return
    assert (listed, below) == ([], [])
    with pytest.raises(NoSuchKey):
        his.get(key)
    his.delete(key)
    his.delete_below(prefix)
    his.delete_below("")
    assert hers.get(key) == "hers"
    assert his.usage() == Usage()


@given(st.text(max_size=20))
def test_a_key_is_kept_as_it_is_or_refused(key: str) -> None:
    keys = UserKeys(MemoryKeyValue(), "alice", KvLimits())
    try:
        keys.set(key, b"1")
    except Rejected:
        return
    assert keys.keys("") == ["/" + key.lstrip("/")]
    assert keys.get(keys.keys("")[0]) == "1"


class UsageIsExact(RuleBasedStateMachine):
    """Whatever a user does, what is kept of their usage is what they have."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryKeyValue()
        self.keys = UserKeys(self.store, "alice", LIMITS)
        self.model: dict[str, str] = {}

    @rule(key=st.text("ab", min_size=1, max_size=3), value=st.text("xé", min_size=1, max_size=60))
    def set(self, key: str, value: str) -> None:
        try:
            self.keys.set(key, value.encode())
            self.model[key] = value
        except (Rejected, QuotaReached):
            pass

    @rule(key=st.text("ab", min_size=1, max_size=3))
    def delete(self, key: str) -> None:
        self.keys.delete(key)
        self.model.pop(key, None)

    @rule(prefix=st.text("ab", max_size=2))
    def delete_below(self, prefix: str) -> None:
        self.keys.delete_below(prefix)
        self.model = {key: value for key, value in self.model.items() if not key.startswith(prefix)}

    @rule()
    def lose_the_count(self) -> None:
        self.store.put_if("/prominence/kv/usage/alice", b"of another version", None)

    @invariant()
    def agree(self) -> None:
        total = sum(len((key + value).encode()) for key, value in self.model.items())
        assert self.keys.usage() == Usage(keys=len(self.model), total=total)
        assert self.keys.values("") == [{f"/{key}": self.model[key]} for key in sorted(self.model)]
        assert len(self.model) <= LIMITS.keys and total <= LIMITS.total


TestUsageIsExact = UsageIsExact.TestCase
