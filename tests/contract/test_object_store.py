"""What every ObjectStore promises, and its signed addresses hold: in memory, over real sockets, on a real S3 server."""

from __future__ import annotations

import hashlib
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import boto3
import docker
import pytest
import requests
from object_servers import LocalServer, RadosGateway, S3Account, served_objects
from pydantic import SecretStr

from prominence.core.errors import Forbidden, NotFound, ProminenceError, Unavailable
from prominence.restapi.adapters.memory_objects import MemoryObjects
from prominence.restapi.adapters.s3 import S3Objects
from prominence.restapi.objects import Form, Put, Reach, Terms
from prominence.restapi.ports import ObjectStore

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
CONTENT = b"0123456789" * 10
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Web(Protocol):
    """What a client does with a signed address; True, or the content, when it was let."""

    def get(self, url: str) -> bytes | None: ...

    def put(self, allowed: Put, content: bytes) -> bool: ...

    def post(self, form: Form, content: bytes) -> bool: ...


@dataclass
class Kit:
    """A store, the web before it, and what it cannot do: whether it checks checksums, and how to outlive an address."""

    store: ObjectStore
    web: Web
    checks_sums: bool
    wait_s: Callable[[int], object]

    def upload(self, name: str, content: bytes = CONTENT, **changes: Any) -> bool:
        """As a user does: by the form, where there is one."""
        allowed = terms(**changes)
        form = self.store.form_to_post(name, allowed, Reach.USERS)
        if form is not None:
            return self.web.post(form, content)
        return self.web.put(self.store.url_to_put(name, allowed, Reach.USERS), content)

    def content(self, name: str) -> bytes | None:
        return self.web.get(self.store.url_to_get(name, 60, Reach.WORKERS))

    def names(self, folder: str) -> list[str]:
        return [stored.name for stored in self.store.list(folder)]


def terms(**changes: Any) -> Terms:
    return Terms(**{"lifetime_s": 60, "largest": 1000, **changes})


class MemoryWeb:
    def __init__(self, store: MemoryObjects) -> None:
        self._store = store

    def get(self, url: str) -> bytes | None:
        try:
            return self._store.get(url)
        except (Forbidden, NotFound):
            return None

    def put(self, allowed: Put, content: bytes) -> bool:
        try:
            self._store.put(allowed.url, content)
        except ProminenceError:
            return False
        return True

    def post(self, form: Form, content: bytes) -> bool:
        raise AssertionError("there are no forms")


class RealWeb:
    def get(self, url: str) -> bytes | None:
        answer = requests.get(url, timeout=30)
        return answer.content if answer.status_code == 200 else None

    def put(self, allowed: Put, content: bytes) -> bool:
        answer = requests.put(allowed.url, data=content, headers=dict(allowed.headers), timeout=30)
        return answer.status_code in (200, 201, 204)

    def post(self, form: Form, content: bytes) -> bool:
        files = {"file": ("some name", content)}
        answer = requests.post(form.url, data=dict(form.fields), files=files, timeout=30)
        return answer.status_code in (200, 201, 204)


@pytest.fixture(scope="module")
def gateway(engine: docker.DockerClient) -> Iterator[S3Account]:
    with RadosGateway(engine).running() as account:
        yield account


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with served_objects(tmp_path_factory.mktemp("objects")) as server:
        yield server


def _memory(request: pytest.FixtureRequest) -> Kit:
    moment = [NOON]

    def wait(seconds: int) -> None:
        moment[0] += timedelta(seconds=seconds)

    store = MemoryObjects(lambda: moment[0])
    return Kit(store, MemoryWeb(store), True, wait)


def _local(request: pytest.FixtureRequest) -> Kit:
    server: LocalServer = request.getfixturevalue("local")
    shutil.rmtree(server.root, ignore_errors=True)
    return Kit(server.store, RealWeb(), True, time.sleep)  # a server's clock cannot be told to go on


def _s3(request: pytest.FixtureRequest) -> Kit:
    return Kit(s3_store(request.getfixturevalue("gateway")), RealWeb(), False, time.sleep)


def s3_store(account: S3Account) -> S3Objects:
    """In a bucket of its own."""
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    boto3.client(
        "s3",
        endpoint_url=account.endpoint,
        region_name="us-east-1",
        aws_access_key_id=account.access_key,
        aws_secret_access_key=account.secret_key,
    ).create_bucket(Bucket=bucket)
    endpoints: dict[Reach, str | None] = dict.fromkeys(Reach, account.endpoint)
    return S3Objects(endpoints, "us-east-1", bucket, account.access_key, SecretStr(account.secret_key))


_KITS = {"memory": _memory, "local": _local, "s3": _s3}


@pytest.fixture(params=["memory", "local", pytest.param("s3", marks=pytest.mark.slow)])
def kit(request: pytest.FixtureRequest) -> Kit:
    return _KITS[request.param](request)


class TestObjectStore:
    def test_what_was_uploaded_can_be_had(self, kit: Kit) -> None:
        assert kit.upload("uploads/alice/data.bin")
        assert kit.content("uploads/alice/data.bin") == CONTENT
        stored = kit.store.stat("uploads/alice/data.bin")
        assert stored is not None
        assert (stored.name, stored.size) == ("uploads/alice/data.bin", len(CONTENT))
        assert stored.modified_at.tzinfo is not None

    def test_what_is_not_there_is_nothing(self, kit: Kit) -> None:
        assert kit.store.stat("uploads/alice/data.bin") is None
        assert kit.content("uploads/alice/data.bin") is None
        assert kit.store.list("uploads/alice") == []

    def test_a_checksum_that_was_announced_is_known_afterwards(self, kit: Kit) -> None:
        assert kit.upload("uploads/alice/data.bin", sha256=SHA256)
        stored = kit.store.stat("uploads/alice/data.bin")
        assert stored is not None
        assert stored.sha256 == SHA256

    def test_what_has_another_checksum_than_announced_is_not_taken(self, kit: Kit) -> None:
        assert kit.upload("uploads/alice/data.bin", CONTENT[::-1], sha256=SHA256) is not kit.checks_sums

    def test_no_more_is_taken_than_there_is_room_for(self, kit: Kit) -> None:
        assert not kit.upload("uploads/alice/data.bin", b"x" * 1001)
        assert kit.store.stat("uploads/alice/data.bin") is None
        assert kit.upload("uploads/alice/data.bin", b"x" * 1000)

    def test_what_has_another_size_than_announced_is_not_taken(self, kit: Kit) -> None:
        assert not kit.upload("uploads/alice/data.bin", b"short", size=100)
        assert not kit.upload("uploads/alice/data.bin", b"x" * 101, size=100)
        assert kit.store.stat("uploads/alice/data.bin") is None

    def test_an_upload_takes_the_place_of_the_one_before(self, kit: Kit) -> None:
        assert kit.upload("uploads/alice/data.bin")
        assert kit.upload("uploads/alice/data.bin", b"new")
        assert kit.content("uploads/alice/data.bin") == b"new"
        assert kit.names("uploads/alice") == ["uploads/alice/data.bin"]

    def test_a_put_of_known_size_and_checksum_is_held_to_its_size(self, kit: Kit) -> None:
        allowed = kit.store.url_to_put("scratch/1/out", terms(size=100, sha256=SHA256), Reach.WORKERS)
        assert not kit.web.put(allowed, b"x" * 200)
        assert kit.web.put(allowed, CONTENT)
        stored = kit.store.stat("scratch/1/out")
        assert stored is not None
        assert stored.sha256 == SHA256

    def test_a_put_without_any_knowledge_is_possible(self, kit: Kit) -> None:
        assert kit.web.put(kit.store.url_to_put("scratch/1/out", terms(), Reach.WORKERS), CONTENT)
        assert kit.content("scratch/1/out") == CONTENT

    def test_an_address_is_good_for_its_object_only(self, kit: Kit) -> None:
        assert kit.upload("uploads/alice/secret")
        url = kit.store.url_to_get("uploads/bob/data", 60, Reach.USERS)
        assert kit.web.get(url.replace("bob/data", "alice/secret")) is None
        allowed = kit.store.url_to_put("uploads/bob/data", terms(), Reach.USERS)
        assert not kit.web.put(Put(allowed.url.replace("bob/data", "alice/secret"), allowed.headers), b"changed")
        assert kit.content("uploads/alice/secret") == CONTENT

    def test_an_address_to_get_is_not_one_to_put(self, kit: Kit) -> None:
        assert not kit.web.put(Put(kit.store.url_to_get("uploads/bob/data", 60, Reach.USERS)), CONTENT)
        assert kit.store.stat("uploads/bob/data") is None

    def test_an_address_without_its_signature_is_none(self, kit: Kit) -> None:
        assert kit.upload("uploads/alice/data.bin")
        assert kit.web.get(kit.store.url_to_get("uploads/alice/data.bin", 60, Reach.USERS).partition("?")[0]) is None

    def test_an_address_expires(self, kit: Kit) -> None:
        assert kit.upload("uploads/alice/data.bin")
        url = kit.store.url_to_get("uploads/alice/data.bin", 2, Reach.USERS)
        assert kit.web.get(url) == CONTENT
        kit.wait_s(3)
        assert kit.web.get(url) is None

    def test_a_folder_is_a_whole_name(self, kit: Kit) -> None:
        for name in ("uploads/bob/1", "uploads/bob/more/2", "uploads/bobby/3", "uploads/bo/4", "uploads/bob.5"):
            assert kit.upload(name)
        assert kit.names("uploads/bob") == ["uploads/bob/1", "uploads/bob/more/2"]
        assert len(kit.names("")) == 5

    def test_an_object_and_a_folder_may_have_one_name(self, kit: Kit) -> None:
        assert kit.upload("uploads/bob/a")
        assert kit.upload("uploads/bob/a/b", b"below")
        assert kit.content("uploads/bob/a") == CONTENT
        assert kit.content("uploads/bob/a/b") == b"below"
        assert kit.names("uploads/bob") == ["uploads/bob/a", "uploads/bob/a/b"]

    @pytest.mark.parametrize("name", ["a b+c", "größe & 100%?.txt", "a;b=c#d", "日本語", "%2e%2e", "a'\"<>\\"])
    def test_names_may_hold_what_they_like(self, kit: Kit, name: str) -> None:
        assert kit.upload(f"uploads/alice/{name}")
        assert kit.content(f"uploads/alice/{name}") == CONTENT
        assert kit.names("uploads/alice") == [f"uploads/alice/{name}"]

    def test_what_is_deleted_is_gone(self, kit: Kit) -> None:
        for name in ("uploads/alice/a/b", "uploads/alice/a/c"):
            assert kit.upload(name)
        kit.store.delete("uploads/alice/a/b")
        kit.store.delete("uploads/alice/a/b")
        assert kit.names("uploads/alice") == ["uploads/alice/a/c"]
        kit.store.delete("uploads/alice/a/c")
        assert kit.names("") == []
        assert kit.upload("uploads/alice/a/b")


def test_a_store_that_nobody_answers_for_is_unavailable() -> None:
    nobody: dict[Reach, str | None] = dict.fromkeys(Reach, "http://127.0.0.1:1")
    store = S3Objects(nobody, "us-east-1", "bucket", "key", SecretStr("secret"))
    for verb in (store.stat, store.list, store.delete):
        with pytest.raises(Unavailable):
            verb("uploads/alice")


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_not_an_empty_one(gateway: S3Account) -> None:
    store = s3_store(gateway)
    lost = S3Objects(
        dict.fromkeys(Reach, gateway.endpoint), "us-east-1", "lost", gateway.access_key, SecretStr(gateway.secret_key)
    )
    assert store.list("") == []
    with pytest.raises(Unavailable):
        lost.list("")
