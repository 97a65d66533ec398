"""Objects by the API: upload, list, delete, and how much of it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from builders_restapi import Api, an_api

from prominence.core.errors import ProminenceError, QuotaReached
from prominence.restapi.adapters.memory_objects import MemoryObjects
from prominence.restapi.limits import Limits
from prominence.restapi.objects import Form, Reach, Terms


@pytest.fixture
def api() -> Api:
    return an_api()


def upload(api: Api, name: str, content: bytes = b"data", **asked: Any) -> None:
    answer = api.call("POST", "/data/upload", json={"filename": name, **asked})
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    api.objects.put(answer.json["url"], content)


def names(api: Api, path: str = "/data") -> list[str]:
    return [item["name"] for item in api.get(path)]


def test_what_was_uploaded_is_listed_as_the_published_client_reads_it(api: Api) -> None:
    upload(api, "data.tgz")
    [item] = api.get("/data")
    assert item["name"] == "data.tgz"
    assert item["size"] == 4
    assert item["lastModified"] == "Mon, 01 Jun 2026 12:00:00 GMT"


def test_what_expires_when_is_told(api: Api) -> None:
    upload(api, "data.tgz")
    [item] = api.get("/data")
    assert item["expireTime"] == int(api.clock.now().timestamp()) + 90 * 86400


@pytest.mark.parametrize("path", ["/data/upload", "/data"])
def test_an_address_can_be_asked_for_in_a_body_or_as_before_in_the_query(api: Api, path: str) -> None:
    assert api.call("POST", path, json={"filename": "a", "checksum": None}).status_code == 201
    assert api.call("POST", f"{path}?name=a&checksum={'a' * 64}").status_code == 201


def test_a_store_that_wants_a_form_gets_one() -> None:
    class Forms(MemoryObjects):
        def form_to_post(self, name: str, terms: Terms, reach: Reach) -> Form | None:
            return Form("https://store.example.org/bucket", {"key": name, "policy": "..."})

    api = an_api()
    api = an_api(objects=Forms(api.clock.now))
    answer = api.call("POST", "/data/upload", json={"filename": "a"})
    assert answer.json == {
        "url": "https://store.example.org/bucket",
        "fields": {"key": "uploads/alice/a", "policy": "..."},
    }


@pytest.mark.parametrize(
    "wanted",
    [
        {}, [], "a", {"filename": ""}, {"filename": "../bob/x"}, {"filename": "/x"}, {"filename": 1},
        {"filename": "a", "checksum": "abc"}, {"filename": "a", "size": -1}, {"filename": "a", "other": 1},
        {"filename": "a\x00"}, {"filename": "a", "size": True},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(api: Api, wanted: Any) -> None:
    answer = api.call("POST", "/data/upload", json=wanted)
    assert answer.status_code == 400, answer.text
    assert answer.json is not None
    assert set(answer.json) == {"error", "reasonCode"}


def test_a_checksum_is_held_to_also_when_it_is_written_large(api: Api) -> None:
    checksum = hashlib.sha256(b"data").hexdigest().upper()
    upload(api, "a", checksum=checksum)
    answer = api.call("POST", "/data/upload", json={"filename": "b", "checksum": checksum})
    assert answer.json is not None
    with pytest.raises(ProminenceError):
        api.objects.put(answer.json["url"], b"else")
    assert names(api) == ["a"]


def test_a_groups_area_is_for_those_who_are_in_it(api: Api) -> None:
    upload(api, "physics/2026/data.tgz")
    assert names(api) == []
    assert names(api, "/data/physics") == ["physics/2026/data.tgz"]
    assert names(api, "/data/physics/2026") == ["physics/2026/data.tgz"]
    assert names(api, "/data/physics/20") == []
    bob = api.as_user("bob")
    for method, path, options in (
        ("GET", "/data/physics", {}),
        ("DELETE", "/data/physics/2026/data.tgz", {}),
        ("POST", "/data/upload", {"json": {"filename": "physics/x"}}),
    ):
        assert bob.call(method, path, **options).status_code == 403
    assert names(api, "/data/physics") == ["physics/2026/data.tgz"]


def test_users_do_not_see_each_others_objects(api: Api) -> None:
    upload(api, "secret")
    bob = api.as_user("bob")
    assert names(bob) == []
    assert bob.call("DELETE", "/data/secret").status_code == 204
    assert bob.call("GET", "/data/alice").status_code == 403
    assert names(api) == ["secret"]


def test_to_delete_is_204_also_for_what_is_not_there(api: Api) -> None:
    upload(api, "a b")
    answer = api.call("DELETE", "/data/a%20b")
    assert (answer.status_code, answer.data) == (204, b"")
    assert api.call("DELETE", "/data/a%20b").status_code == 204
    assert names(api) == []


def test_an_object_store_that_is_down_is_503(api: Api) -> None:
    api.objects.unavailable = "The object store does not answer."
    for method, path, options in (
        ("GET", "/data", {}),
        ("DELETE", "/data/a", {}),
        ("POST", "/data/upload", {"json": {"filename": "a"}}),
        ("GET", "/quota", {}),
    ):
        assert api.call(method, path, **options).status_code == 503
    assert api.call("GET", "/jobs").status_code == 200


class TestQuota:
    @pytest.fixture
    def api(self) -> Api:
        return an_api(limits=Limits(user_quota=100, group_quota=10, largest_object=60))

    def test_an_upload_is_limited_to_what_is_left(self, api: Api) -> None:
        upload(api, "a", b"x" * 50)
        upload(api, "b", b"x" * 40)
        answer = api.call("POST", "/data/upload", json={"filename": "c"})
        assert answer.json is not None
        with pytest.raises(ProminenceError):
            api.objects.put(answer.json["url"], b"x" * 11)
        api.objects.put(answer.json["url"], b"x" * 10)
        refused = api.call("POST", "/data/upload", json={"filename": "d"})
        assert refused.status_code == 507
        assert refused.json is not None
        assert "quota of 100 bytes is used up" in refused.json["error"]

    @pytest.mark.parametrize(("area", "quota"), [("", 100), ("physics/", 10)])
    def test_addresses_that_were_asked_for_at_once_have_the_room_once(self, area: str, quota: int, api: Api) -> None:
        names = [f"{area}{letter}" for letter in "abc"]
        urls = [(api.call("POST", "/data/upload", json={"filename": name}).json or {})["url"] for name in names]
        half = b"x" * (quota // 2)
        for url in (urls[0], urls[1], urls[0]):
            api.objects.put(url, half)
        with pytest.raises(QuotaReached):
            api.objects.put(urls[2], b"x")
        with pytest.raises(QuotaReached):
            api.objects.put(urls[0], half + b"x")
        assert sorted(one["name"] for one in api.get(f"/data/{area.strip('/')}".rstrip("/"))) == names[:2]

    def test_what_is_replaced_makes_room(self, api: Api) -> None:
        upload(api, "a", b"x" * 60)
        upload(api, "b", b"x" * 40)
        assert api.call("POST", "/data/upload", json={"filename": "c"}).status_code == 507
        upload(api, "a", b"x" * 60, size=60)

    def test_a_size_that_is_known_is_checked_at_once(self, api: Api) -> None:
        assert api.call("POST", "/data/upload", json={"filename": "a", "size": 61}).status_code == 413
        upload(api, "a", b"x" * 60)
        assert api.call("POST", "/data/upload", json={"filename": "b", "size": 41}).status_code == 507
        assert api.call("POST", "/data/upload", json={"filename": "b", "size": 40}).status_code == 201

    def test_a_group_has_a_quota_of_its_own(self, api: Api) -> None:
        upload(api, "physics/a", b"x" * 10)
        assert api.call("POST", "/data/upload", json={"filename": "physics/b"}).status_code == 507
        assert api.call("POST", "/data/upload", json={"filename": "b"}).status_code == 201

    def test_what_is_used_of_how_much_is_told(self, api: Api) -> None:
        upload(api, "a", b"x" * 30)
        upload(api, "physics/b", b"x" * 5)
        assert api.get("/quota") == {
            "user": {"uploads": 30, "outputs": 0, "used": 30, "quota": 100},
            "groups": {
                "physics": {"uploads": 5, "outputs": 0, "used": 5, "quota": 10},
                "chemistry": {"uploads": 0, "outputs": 0, "used": 0, "quota": 10},
            },
            "largestObject": 60,
            "lifetimes": {"uploads": 90 * 86400, "outputs": 30 * 86400, "jobs": 90 * 86400},
        }
