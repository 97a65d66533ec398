"""What the command line sends and fetches, over real sockets: our own store, an S3 store, connections that break."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import docker
import pytest
import requests
from breaking_server import CONTENT, Breaking, breaking
from object_servers import LocalServer, RadosGateway, served_objects
from pydantic import SecretStr

from prominence.cli.errors import ApiError, Unreachable
from prominence.cli.transfers import TRIES, Address, checksum, download, upload
from prominence.restapi.adapters.s3 import S3Objects
from prominence.restapi.objects import Reach, Terms

SESSION = requests.Session()
SESSION.auth = ("user", "a password for another host")
NAME = "uploads/alice/a name"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with served_objects(tmp_path_factory.mktemp("objects")) as one:
        yield one


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "data.bin"
    made.write_bytes(CONTENT)
    return made


def terms(file: Path) -> Terms:
    return Terms(60, 10_000_000, file.stat().st_size, checksum(file))


class Counted:
    def __init__(self) -> None:
        self.bytes = 0

    def __call__(self, gone: int) -> None:
        self.bytes += gone


@pytest.mark.parametrize("content", [CONTENT, b""])
def test_a_file_goes_to_our_own_store_and_back(server: LocalServer, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    up, down = Counted(), Counted()
    upload(SESSION, Address(server.store.url_to_put(NAME, terms(file), Reach.USERS).url), file, up)
    stored = server.store.stat(NAME)
    assert stored is not None
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    target = file.with_name("copy")
    download(SESSION, server.store.url_to_get(NAME, 60, Reach.USERS), target, down)
    assert target.read_bytes() == content
    assert (up.bytes, down.bytes) == (len(content), len(content))
    assert sorted(path.name for path in file.parent.iterdir()) == ["copy", "data.bin"]


def test_what_the_store_does_not_take_is_told_in_its_words(server: LocalServer, file: Path) -> None:
    url = server.store.url_to_put(NAME, Terms(60, 1000), Reach.USERS).url
    with pytest.raises(ApiError, match="1000 bytes"):
        upload(SESSION, Address(url), file, Counted())
    with pytest.raises(ApiError, match="no object"):
        download(SESSION, server.store.url_to_get("uploads/alice/no", 60, Reach.USERS), file, Counted())
    assert file.read_bytes() == CONTENT


def test_a_download_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    counted = Counted()
    with breaking() as url:
        download(SESSION, f"{url}/data", tmp_path / "in", counted, lambda _: None)
    assert (tmp_path / "in").read_bytes() == CONTENT
    assert len([wanted for wanted in Breaking.asked if wanted]) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_another_process_has_begun_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / ".in.part").write_bytes(CONTENT[:4_000_000])
    (tmp_path / ".in.part.tag").write_text('"one"')
    with breaking() as url:
        download(SESSION, f"{url}/data", tmp_path / "in", Counted())
    assert Breaking.asked == ["bytes=4000000-"]
    assert (tmp_path / "in").read_bytes() == CONTENT


def test_patience_with_a_server_ends(tmp_path: Path) -> None:
    naps: list[float] = []
    with pytest.raises(Unreachable):
        download(SESSION, "http://127.0.0.1:1/data", tmp_path / "in", Counted(), naps.append)
    assert len(naps) == TRIES - 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_file_goes_to_an_s3_store_by_its_form_and_back(engine: docker.DockerClient, file: Path) -> None:
    with RadosGateway(engine).running() as account:
        keys = account.access_key, account.secret_key
        bucket = f"bucket-{uuid.uuid4().hex[:8]}"
        boto3.client(
            "s3",
            endpoint_url=account.endpoint,
            region_name="us-east-1",
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
        ).create_bucket(Bucket=bucket)
        store = S3Objects(dict.fromkeys(Reach, account.endpoint), "us-east-1", bucket, keys[0], SecretStr(keys[1]))
        form = store.form_to_post(NAME, terms(file), Reach.USERS)
        assert form is not None
        upload(SESSION, Address(form.url, form.fields), file, Counted())
        file.write_bytes(CONTENT + b"more than was announced")
        with pytest.raises(ApiError):
            upload(SESSION, Address(form.url, form.fields), file, Counted())
        target = file.with_name("copy")
        download(SESSION, store.url_to_get(NAME, 60, Reach.USERS), target, Counted())
        assert target.read_bytes() == CONTENT
