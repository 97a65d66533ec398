"""The executor's transfers over real sockets: to and from our own store, and through servers that break off."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from breaking_server import CONTENT, Breaking, breaking
from file_server import serving
from object_servers import LocalServer, served_objects

from prominence.executor.adapters.addresses import may_be_fetched_from
from prominence.executor.adapters.http import HttpWeb
from prominence.executor.ports import Interrupted, Stop
from prominence.executor.transfer import Address, QuotaReached, Refused, TransferFailed
from prominence.restapi.objects import Reach, Terms

SHA256 = hashlib.sha256(CONTENT).hexdigest()
WEB = HttpWeb(checks=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with served_objects(tmp_path_factory.mktemp("objects")) as one:
        yield one


def to_put(server: LocalServer, **changes: int | str | None) -> Address:
    asked = {"lifetime_s": 60, "largest": 100_000_000, **changes}
    put = server.store.url_to_put("scratch/1/out", Terms(**asked), Reach.WORKERS)  # type: ignore[arg-type]
    return Address(put.url, dict(put.headers), tells_checksum=put.tells_checksum and changes.get("sha256") is None)


def get(url: str, file: Path, most: int | None = None, **known: int | str) -> None:
    WEB.get(Address(url, **known), file, most, Stop())  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [CONTENT, b""])
def test_what_is_put_can_be_got(server: LocalServer, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "out").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    WEB.put(to_put(server, size=len(content), sha256=sha256), tmp_path / "out", Stop())
    get(server.store.url_to_get("scratch/1/out", 60, Reach.WORKERS), tmp_path / "in", size=len(content), sha256=sha256)
    assert (tmp_path / "in").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.parametrize("content", [CONTENT, b""])
def test_what_has_arrived_is_compared_with_what_was_sent(server: LocalServer, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "out").write_bytes(content)
    assert WEB.put(to_put(server), tmp_path / "out", Stop()) == hashlib.sha256(content).hexdigest()


def test_what_arrives_as_something_else_has_not_arrived(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(CONTENT)
    with breaking() as url, pytest.raises(TransferFailed, match="not what was sent"):
        WEB.put(Address(url, tells_checksum=True), tmp_path / "out", Stop())


def test_a_file_that_becomes_shorter_while_it_is_sent_is_not_waited_for(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(CONTENT)
    stop = CutsOnLook(tmp_path / "out")
    with pytest.raises(TransferFailed, match="became shorter"):
        WEB.put(to_put(server), tmp_path / "out", stop)


class CutsOnLook(Stop):
    """Never requested; whoever looks finds the file cut."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    @property
    def requested(self) -> bool:
        os.truncate(self._file, 1)
        return False


def test_what_the_store_refuses_is_told_in_its_words(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(CONTENT)
    with pytest.raises(QuotaReached, match="1000 bytes"):
        WEB.put(to_put(server, largest=1000), tmp_path / "out", Stop())
    with pytest.raises(Refused, match="signed"):
        get(
            server.store.url_to_get("scratch/1/out", 60, Reach.WORKERS).replace("scratch/1", "scratch/2"),
            tmp_path / "in",
        )
    with pytest.raises(Refused, match="no object"):
        get(server.store.url_to_get("scratch/1/nothing", 60, Reach.WORKERS), tmp_path / "in")


def test_a_full_disk_of_the_service_is_no_used_up_quota(tmp_path: Path) -> None:
    """Both have one status; only one of them is the user's, who can do nothing about the other."""
    (tmp_path / "out").write_bytes(CONTENT)
    with served_objects(tmp_path, keep_free=2**60) as full, pytest.raises(TransferFailed, match="no room") as told:
        WEB.put(to_put(full), tmp_path / "out", Stop())
    assert not isinstance(told.value, Refused)


def test_nobody_there_is_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(TransferFailed, match="Connection refused") as told:
        get("http://127.0.0.1:1/data", tmp_path / "in")
    assert not isinstance(told.value, Refused)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "http://", "http://[x"])
def test_nothing_but_the_web_is_read(tmp_path: Path, url: str) -> None:
    with pytest.raises(TransferFailed):
        get(url, tmp_path / "in")
    assert not (tmp_path / "in").exists()


def test_a_download_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    with breaking() as url:
        for _ in range(3):
            with pytest.raises(TransferFailed):
                get(f"{url}/data", tmp_path / "in", sha256=SHA256)
        get(f"{url}/data", tmp_path / "in", sha256=SHA256)
    assert (tmp_path / "in").read_bytes() == CONTENT
    assert Breaking.asked[0] is None
    assert all(wanted and wanted != "bytes=0-" for wanted in Breaking.asked[1:])


def test_a_download_of_another_content_begins_anew(tmp_path: Path) -> None:
    with breaking() as url:
        with pytest.raises(TransferFailed):
            get(f"{url}/data", tmp_path / "in")
        Breaking.tag = '"two"'
        for _ in range(3):
            with pytest.raises(TransferFailed):
                get(f"{url}/data", tmp_path / "in", sha256=SHA256)
        get(f"{url}/data", tmp_path / "in", sha256=SHA256)
    assert (tmp_path / "in").read_bytes() == CONTENT


def test_no_redirect_leads_out_of_the_web(tmp_path: Path) -> None:
    with breaking() as url, pytest.raises(TransferFailed):
        get(f"{url}/away", tmp_path / "in")
    assert not (tmp_path / "in").exists()


def test_no_more_is_fetched_than_there_is_room_for(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(CONTENT)
    WEB.put(to_put(server), tmp_path / "out", Stop())
    with pytest.raises(Refused, match="disk"):
        get(server.store.url_to_get("scratch/1/out", 60, Reach.WORKERS), tmp_path / "in", most=1000)


def test_what_arrives_with_another_checksum_does_not_stay(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(CONTENT)
    WEB.put(to_put(server), tmp_path / "out", Stop())
    with pytest.raises(TransferFailed, match="not what was stored"):
        get(server.store.url_to_get("scratch/1/out", 60, Reach.WORKERS), tmp_path / "in", sha256="0" * 64)
    assert not (tmp_path / "in").exists()


def test_to_stop_is_heeded_in_the_middle(server: LocalServer, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(CONTENT)
    WEB.put(to_put(server), tmp_path / "out", Stop())
    stop = Stop()
    stop.request()
    with pytest.raises(Interrupted):
        WEB.get(Address(server.store.url_to_get("scratch/1/out", 60, Reach.WORKERS)), tmp_path / "in", None, stop)
    with pytest.raises(Interrupted):
        WEB.put(to_put(server), tmp_path / "out", stop)


def test_artifacts_do_not_come_from_the_worker_itself(server: LocalServer, tmp_path: Path) -> None:
    url = server.store.url_to_get("scratch/1/out", 60, Reach.WORKERS)
    for host in ("127.0.0.1", "localhost", "127.1", "0.0.0.0"):
        with pytest.raises(Refused, match="nothing is fetched from"):
            HttpWeb().get(Address(url.replace("127.0.0.1", host, 1)), tmp_path / "in", None, Stop())


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("93.184.215.14", True), ("10.0.0.1", True), ("2606:2800:21f::1", True), ("127.0.0.1", False), ("::1", False),
        ("169.254.169.254", False), ("fe80::1%eth0", False), ("::ffff:127.0.0.1", False), ("0.0.0.0", False),
        ("::ffff:169.254.169.254", False), ("224.0.0.1", False),
        ("fd00:ec2::254", False), ("fd20:ce::254", False), ("168.63.129.16", False), ("::ffff:168.63.129.16", False),
        ("fd00:ec2::253", True),
    ],
)  # fmt: skip
def test_neither_the_worker_nor_a_metadata_service_is_a_source(address: str, may: bool) -> None:
    assert may_be_fetched_from(address) == may


def test_a_server_is_asked_whether_it_still_has_what_it_had(tmp_path: Path) -> None:
    contents, sent = {"/f": b"first", "/none": b""}, list[str]()
    with serving(contents, tags=True, sent=sent) as base:
        address = Address(f"{base}/f")
        tag = WEB.get(address, tmp_path / "f", None, Stop())
        assert tag.startswith('"')
        assert WEB.is_still(address, tag)
        assert sent == ["/f"]
        contents["/f"] = b"second"
        assert not WEB.is_still(address, tag)
        del contents["/f"]
        with pytest.raises(Refused):
            WEB.is_still(address, tag)


def test_a_server_that_does_not_say_by_what_it_knows_its_content_is_not_believed_to_know(tmp_path: Path) -> None:
    with serving({"/f": b"first"}) as base:
        assert WEB.get(Address(f"{base}/f"), tmp_path / "f", None, Stop()) == ""
        assert not WEB.is_still(Address(f"{base}/f"), '"1"')
