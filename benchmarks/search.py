"""What it costs to bring the accounts to a search server, and to ask it, beside SQLite alone.

search.booking: attempts booked in usage.db and brought to the server, and the same booked in usage.db alone.
search.by_group: the sums of groups over all of these, from the one and from the other. The server is that of the tests:
OpenSearch, with a heap of 512 MiB.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from search_server import Disguise, SearchServer, disguised

from benchmarks import accounting
from benchmarks.harness import Row, in_pairs, measured_in_pairs
from prominence.core.logfile import Position
from prominence.restapi.adapters.elasticsearch import ElasticsearchCopy, ElasticsearchUsage, connect
from prominence.restapi.adapters.outbox import Outbox, Sending
from prominence.restapi.adapters.usage import SqliteUsage, UsageWriter
from prominence.restapi.copying import Copier
from prominence.restapi.ports import UsageStore

RUNS = 3
BOOKED, AT_ONCE = 20_000, 1000


def search() -> list[Row]:
    """Booking and asking, with one server for all."""
    with _server() as server:
        pairs = measured_in_pairs(lambda: _booked(None), lambda: _booked(server), RUNS)
        return [in_pairs("search.booking", pairs), _asked(server)]


def _booked(server: Disguise | None) -> float:
    """Seconds until all are there."""
    with tempfile.TemporaryDirectory() as directory:
        start = time.perf_counter()
        _book(Path(directory) / "usage.db", server, f"bench-{uuid.uuid4().hex[:8]}")
        return time.perf_counter() - start


def _book(file: Path, server: Disguise | None, prefix: str) -> None:
    with closing(UsageWriter(file, copied_to="" if server is None else "there")) as writer:
        for first in range(0, BOOKED, AT_ONCE):
            writer.book_usage(accounting.runs(first, AT_ONCE), "history", Position())
    if server is None:
        return
    with closing(Outbox(file)) as outbox:
        copier = Copier(outbox, ElasticsearchCopy(connect([server.url]), prefix))
        while copier.step():
            pass


def _asked(server: Disguise) -> Row:
    with tempfile.TemporaryDirectory() as directory:
        file, history, prefix = Path(directory) / "usage.db", Path(directory) / "history", "bench-asked"
        _book(file, server, prefix)
        usage = SqliteUsage(file, history), ElasticsearchUsage(connect([server.url]), prefix, Sending(file, history))
        pairs = measured_in_pairs(*(lambda store=store: _sums(store) for store in usage), RUNS)
    return in_pairs("search.by_group", pairs)


def _sums(store: UsageStore) -> float:
    start = time.perf_counter()
    found = store.by_group(accounting.EVER, None)
    assert sum(one.jobs for one in found.values()) == BOOKED
    return time.perf_counter() - start


@contextmanager
def _server() -> Iterator[Disguise]:
    with tempfile.TemporaryDirectory() as directory:
        server = SearchServer(Path(directory))
        try:
            server.start()
            with disguised(server) as disguise:
                yield disguise
        finally:
            server.kill()


MEASUREMENTS = {"search": search}
