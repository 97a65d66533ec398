"""The accounts in a file of SQLite, from which they are brought to a search server."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from servers import free_ports

from prominence.core.logfile import Position
from prominence.restapi.adapters.elasticsearch import ElasticsearchCopy, ElasticsearchUsage, connect
from prominence.restapi.adapters.outbox import Outbox, Sending
from prominence.restapi.adapters.usage import SqliteUsage, UsageWriter
from prominence.restapi.archive.records import labels
from prominence.restapi.booking import Machine, run_of_epoch, run_of_job
from prominence.restapi.copying import Copier
from prominence.restapi.finished import finished
from prominence.restapi.ports import UsageStore
from prominence.restapi.translate.ads import plain


class InElasticsearch:
    """Booked in SQLite, and brought to the server in pieces of two, whose order and number must not matter."""

    def __init__(self, directory: Path, url: str) -> None:
        self.prefix = f"test-{uuid.uuid4().hex[:8]}"
        self.file, self.history = directory / "usage.db", directory / "history"
        self.writer = UsageWriter(self.file, copied_to="here")
        self.client = connect([url])
        self.usage: UsageStore = self.reading(url)
        self.in_sqlite = SqliteUsage(self.file, self.history)
        self.outbox = Outbox(self.file)
        self.copier = Copier(self.outbox, ElasticsearchCopy(self.client, self.prefix), at_once=2)

    def reading(self, url: str) -> ElasticsearchUsage:
        """Of what is at this address."""
        return ElasticsearchUsage(connect([url]), self.prefix, Sending(self.file, self.history))

    def bring(self) -> None:
        """All that is booked."""
        while self.copier.step():
            pass

    def job(self, ad: Any) -> None:
        run = run_of_job(ad, labels(ad), finished(plain(ad), {}, None, None).view)
        self.writer.book_usage([] if run is None else [run], "history", Position())
        self.bring()

    def attempt(self, ad: Any) -> None:
        run = run_of_epoch(ad, labels(ad))
        self.writer.book_usage([] if run is None else [run], "runs", Position())
        self.bring()

    def machine(self, machine: Machine) -> None:
        self.writer.book_machines([machine])
        self.bring()

    def break_down(self) -> None:
        [nobodys] = free_ports(1)
        self.usage = self.reading(f"http://127.0.0.1:{nobodys}")

    def close(self) -> None:
        """What is on the server goes with it."""
        self.client.close()
        self.outbox.close()
        self.writer.close()
