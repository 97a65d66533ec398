"""KeyValue on etcd, shared by the processes of a pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import etcd3
import grpc
from etcd3.exceptions import ConnectionFailedError, ConnectionTimeoutError, Etcd3Exception
from etcd3.utils import prefix_range_end, to_bytes

from prominence.core.errors import Conflict, Rejected, Unavailable
from prominence.core.keyvalue import tls as tls_
from prominence.core.keyvalue.port import (
    Change,
    Delete,
    DeleteBelow,
    Entry,
    Everything,
    Kept,
    Lease,
    Put,
    check_size,
)

RETRY_AFTER_S = 1
"""A member that failed is asked again after this time; until then the others are, if there are any."""

_CHANNEL = {
    # gRPC waits up to two minutes between attempts to connect: too long for an etcd that was restarted.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.min_reconnect_backoff_ms": 1000,
    "grpc.max_reconnect_backoff_ms": 1000,
    # Notices a peer that vanished without closing the connection.
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 3_000,
    # A list may be larger than gRPC's 4 MiB.
    "grpc.max_receive_message_length": -1,
    # A proxy for the outside world has no business between us and our etcd.
    "grpc.enable_http_proxy": 0,
}


class EtcdKeyValue:
    """To be made after a fork, not before: gRPC's threads do not survive one.

    endpoints: "host:port" of each member of the cluster. When one fails, or has not answered within `timeout_s`, calls
    go to the next; what only reads is asked again at once, so that who asks once has an answer. Other calls end within
    `timeout_s`: what they were to change may be changed.
    tls: how members and we know each other; None: not at all, for members on a network that nobody else reaches.
    """

    def __init__(self, endpoints: Sequence[str], timeout_s: float = 3.0, tls: tls_.EtcdTls | None = None) -> None:
        credentials = _credentials(tls)
        self._others = len(endpoints) - 1
        self._client: Any = etcd3.MultiEndpointEtcd3Client(
            [_endpoint(text, credentials) for text in endpoints], timeout=timeout_s, failover=True
        )

    def get(self, key: str) -> Entry | None:
        with _translated():
            answer = self._asked(partial(self._client.get_response, key))
        return _entry(answer.kvs[0]) if answer.kvs else None

    def list(self, prefix: str) -> list[Entry]:
        return [_entry(pair) for pair in self._below(prefix)]

    def keys(self, prefix: str) -> Sequence[str]:
        return [pair.key.decode() for pair in self._below(prefix, keys_only=True)]

    def change(self, changes: Sequence[Change], expected: Mapping[str, int]) -> None:
        for change in changes:
            if isinstance(change, Put):
                check_size(change.key, change.value)
        self._if(expected, [self._operation(change) for change in changes])

    def put_if(self, key: str, value: bytes, expected: int | None, lease: Lease | None = None) -> int:
        check_size(key, value)
        put = self._client.transactions.put(key, value, lease)
        [answer] = self._if({} if expected is None else {key: expected}, [put])
        revision: int = answer.response_put.header.revision
        return revision

    def delete_if(self, key: str, expected: int | None) -> None:
        self._if({} if expected is None else {key: expected}, [self._client.transactions.delete(key)])

    def lease(self, ttl_s: int) -> Lease:
        with _translated():
            return _EtcdLease(self._client.lease(ttl_s))

    def everything(self, prefix: str) -> Everything:
        with _translated():
            answer = self._client.get_prefix_response(prefix, sort_order="ascend")
        leases = {pair.lease: self._left_s(pair.lease) for pair in answer.kvs if pair.lease}
        kept = (Kept(pair.key.decode(), pair.value, leases.get(pair.lease)) for pair in answer.kvs)
        # A lease that has run out since was its key's end.
        entries = [one for one in kept if one.left_s is None or one.left_s > 0]
        return Everything(answer.header.revision, entries)

    def _left_s(self, lease: int) -> int:
        with _translated():
            return int(self._client.get_lease_info(lease).TTL)

    def close(self) -> None:
        """Close the connections; nothing can be asked any more."""
        self._client.close()

    def _below(self, prefix: str, keys_only: bool = False) -> Any:
        ask = partial(self._client.get_prefix_response, prefix) if prefix else self._client.get_all_response
        with _translated():
            return self._asked(partial(ask, sort_order="ascend", keys_only=keys_only)).kvs

    def _asked(self, ask: Callable[[], Any]) -> Any:
        for _ in range(self._others):
            with suppress(ConnectionFailedError, ConnectionTimeoutError):
                return ask()
        return ask()

    def _operation(self, change: Change) -> Any:
        transactions = self._client.transactions
        match change:
            case Put(key, value):
                return transactions.put(key, value)
            case Delete(key):
                return transactions.delete(key)
            case DeleteBelow(prefix):
                return transactions.delete(prefix, range_end=prefix_range_end(to_bytes(prefix)))

    def _if(self, expected: Mapping[str, int], operations: Sequence[Any]) -> Any:
        # To etcd a key that is not there has revision 0, as it has to us.
        compare = [self._client.transactions.mod(key) == revision for key, revision in expected.items()]
        with _translated():
            succeeded, answers = self._client.transaction(compare, success=list(operations), failure=[])
        if not succeeded:
            raise Conflict(f"{', '.join(expected)} was changed by somebody else")
        return answers


class _EtcdLease:
    def __init__(self, lease: Any) -> None:
        self._lease = lease
        self.id: int = lease.id  # by which etcd3 knows it in a put

    def refresh(self) -> None:
        with _translated():
            answers = self._lease.refresh()
        if not answers or answers[-1].TTL <= 0:
            raise Conflict("the lease has run out")

    def revoke(self) -> None:
        try:
            with _translated():
                self._lease.revoke()
        except Conflict:
            return  # it had run out already


def _credentials(tls: tls_.EtcdTls | None) -> Any:
    if tls is None:
        return None
    found = tls_.read(tls)
    return grpc.ssl_channel_credentials(found.ca, private_key=found.key, certificate_chain=found.certificate)


def _endpoint(text: str, credentials: Any) -> Any:
    scheme = "http://" if credentials is None else "https://"
    host, _, port = text.removeprefix(scheme).rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise Rejected.because(f"{text!r} is not the host:port of an etcd", "etcd_endpoints")
    return etcd3.Endpoint(
        host,
        int(port),
        secure=credentials is not None,
        creds=credentials,
        time_retry=RETRY_AFTER_S,
        opts=list(_CHANNEL.items()),
    )


def _entry(pair: Any) -> Entry:
    return Entry(pair.key.decode(), pair.value, pair.mod_revision)


@contextmanager
def _translated() -> Iterator[None]:
    """The library passes gRPC's errors on where it has no class for them; only a lease can be "not found" to etcd."""
    try:
        yield
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.NOT_FOUND:
            raise Conflict("the lease has run out") from error
        raise Unavailable(f"etcd refuses to answer: {error.details()}", RETRY_AFTER_S) from error
    except Etcd3Exception as error:
        raise Unavailable(f"etcd does not answer: {str(error) or type(error).__name__}", RETRY_AFTER_S) from error
