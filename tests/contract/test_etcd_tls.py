"""A cluster of etcd whose members and clients prove by certificates who they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Authority, Files
from etcd_servers import EtcdMember, in_one_cluster
from real_parts import until

from prominence.core.errors import Rejected, Unavailable
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.keyvalue.tls import EtcdTls

TIMEOUT_S = 3


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(directory: Path) -> Authority:
    return Authority(directory)


@pytest.fixture(scope="module")
def cluster(directory: Path, authority: Authority) -> Iterator[list[EtcdMember]]:
    names = ("one", "two", "three")
    with in_one_cluster([EtcdMember(directory, name, authority.signed(f"member-{name}")) for name in names]) as members:
        yield members


def shown(files: Files, ca: Path | None = None) -> EtcdTls:
    return EtcdTls(ca_file=ca or files.ca, certificate_file=files.certificate, key_file=files.key)


def store_of(cluster: list[EtcdMember], tls: EtcdTls | None) -> EtcdKeyValue:
    return EtcdKeyValue([member.endpoint for member in cluster], timeout_s=TIMEOUT_S, tls=tls)


def written(store: EtcdKeyValue, value: bytes) -> bool:
    try:
        store.put_if("/key", value, None)
    except Unavailable:
        return False
    return True


def test_whichever_member_stops_the_others_go_on(cluster: list[EtcdMember], authority: Authority) -> None:
    store = store_of(cluster, shown(authority.signed("client")))
    until(lambda: written(store, b"before"), 60)
    for member in cluster:
        member.kill()
        until(lambda name=member.name: written(store, name.encode()), 60)
        for _ in range(4):  # whichever is asked first by one that asks once
            once = store_of(cluster, shown(authority.signed("client")))
            entry = once.get("/key")
            assert entry is not None and entry.value == member.name.encode()
            assert [one.key for one in once.list("/")] == ["/key"]
            once.close()
        member.start(cluster)
        # It is heard before it has found the others, and two that know of no leader would be too many.
        alone = store_of([member], shown(authority.signed("client")))
        until(lambda one=alone: written(one, b"back"), 60)
        alone.close()
    store.close()


def test_who_shows_no_certificate_or_a_stranger_s_is_refused(
    cluster: list[EtcdMember], authority: Authority, directory: Path
) -> None:
    known = authority.signed("another")
    stranger = Authority(directory, "stranger").signed("strange")
    store = store_of(cluster, shown(known))
    until(lambda: written(store, b"kept"), 60)
    # The last one does not trust the members, whoever they may be.
    for tls in (None, shown(stranger, known.ca), shown(known, stranger.ca)):
        refused = store_of(cluster, tls)
        for _ in cluster:
            with pytest.raises(Unavailable):
                refused.get("/key")
        refused.close()
    found = until(lambda: store.get("/key"), 60)
    assert found.value == b"kept"
    store.close()


@pytest.mark.parametrize("setting", ["ca_file", "certificate_file", "key_file"])
def test_files_that_cannot_be_used_are_refused_by_name(authority: Authority, tmp_path: Path, setting: str) -> None:
    good = shown(authority.signed("careless"))
    for content in (None, b"", b"-----BEGIN CERTIFICATE-----\nsecret\n-----END CERTIFICATE-----\n"):
        file = tmp_path / setting
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(Rejected) as refused:
            EtcdKeyValue(["127.0.0.1:1"], tls=good.model_copy(update={setting: file}))
        assert str(file) in str(refused.value)
        assert "secret" not in str(refused.value)
