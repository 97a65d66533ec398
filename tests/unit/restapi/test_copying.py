"""Bringing the accounts to another store: nothing is lost, nothing is double, whatever the store does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from pydantic import ValidationError

from prominence.core.errors import Unavailable
from prominence.core.jobid import JobId
from prominence.core.logfile import Position
from prominence.restapi.accounting_settings import AccountingSettings
from prominence.restapi.adapters.outbox import Outbox, Sending
from prominence.restapi.adapters.prometheus import ServiceFigures, Unsent
from prominence.restapi.adapters.usage import UsageWriter
from prominence.restapi.booking import Run, Used
from prominence.restapi.copying import Backlog, Copier, Entry, Taken
from prominence.restapi.search_settings import ElasticsearchSettings


@dataclass
class Elsewhere:
    """A store that does with each piece what is next in `moods`."""

    moods: list[str] = field(default_factory=list)
    there: dict[tuple[JobId, int], Entry] = field(default_factory=dict)
    is_new: bool = True

    def prepare(self) -> bool:
        was_new, self.is_new = self.is_new, False
        return not was_new

    def take(self, entries: Sequence[Entry]) -> Taken:
        mood = self.moods.pop() if self.moods else "well"
        if mood == "away":
            raise Unavailable("It is away.")
        if mood == "emptied":
            self.there, self.is_new = {}, True
            raise Unavailable("It is made anew.")
        kept = entries[: len(entries) // 2] if mood == "half" else entries
        for entry in kept:
            key = (entry.record.run.job, entry.record.run.number)
            if key not in self.there or self.there[key].number < entry.number:
                self.there[key] = entry
        if mood == "answer lost":
            raise Unavailable("The answer did not come.")
        return Taken([entry.number for entry in kept])


def a_run(job: int, wall_ms: int, **more: Any) -> Run:
    return Run(JobId(job), 1, user="alice", ended=100, after=Used(wall_ms, wall_ms, 0), **more)


def bring(copier: Copier) -> None:
    while True:
        try:
            if not copier.step():
                return
        except Unavailable:
            continue


@given(
    st.lists(
        st.tuples(
            st.integers(1, 5), st.integers(1, 9), st.sampled_from(["well", "away", "half", "answer lost", "emptied"])
        ),
        max_size=12,
    )
)
def test_after_all_the_store_has_each_attempt_once_as_it_was_booked_last(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[int, int, str]]
) -> None:
    file = tmp_path_factory.mktemp("usage") / "usage.db"
    writer, store = UsageWriter(file, copied_to="there"), Elsewhere()
    outbox = Outbox(file)
    copier = Copier(outbox, store, at_once=2)
    last: dict[JobId, int] = {}
    for job, wall_ms, mood in story:
        writer.book_usage([a_run(job, wall_ms)], "history", Position())
        last[JobId(job)] = wall_ms
        store.moods = [mood]
        try:
            copier.step()
        except Unavailable:
            continue
    store.moods = []
    bring(copier)
    assert {job: entry.record.used.wall_ms for (job, _), entry in store.there.items()} == last
    outbox.close()
    writer.close()


def test_numbers_grow_also_when_an_older_copy_of_the_file_is_taken_back(tmp_path: Path) -> None:
    file, store = tmp_path / "usage.db", Elsewhere()
    UsageWriter(file, copied_to="there").close()
    backup = file.read_bytes()
    for wall_ms in (1, 2):
        file.write_bytes(backup)
        writer, outbox = UsageWriter(file, copied_to="there"), Outbox(file)
        writer.book_usage([a_run(1, wall_ms)], "history", Position())
        bring(Copier(outbox, store))
        outbox.close()
        writer.close()
    assert [entry.record.used.wall_ms for entry in store.there.values()] == [2]


def test_where_there_is_no_other_store_nothing_is_kept_for_one(tmp_path: Path) -> None:
    file = tmp_path / "usage.db"
    for copied_to, waiting in (("there", 1), ("", None), ("there", 2)):
        writer = UsageWriter(file, copied_to=copied_to)
        writer.book_usage([a_run(1 if waiting == 1 else 2, 1)], "history", Position())
        writer.close()
        if waiting is not None:
            assert Sending(file, tmp_path / "history").backlog().waiting == waiting


def test_what_is_refused_is_tried_again_by_the_next_process(tmp_path: Path) -> None:
    writer = UsageWriter(tmp_path / "usage.db", copied_to="there")
    writer.book_usage([a_run(1, 1), a_run(2, 1)], "history", Position())
    outbox, sending = Outbox(tmp_path / "usage.db"), Sending(tmp_path / "usage.db", tmp_path / "history")
    first, second = outbox.next(9)
    outbox.refused({first.number: "too long"})
    assert [one.number for one in outbox.next(9)] == [second.number]
    assert (sending.backlog().refused, sending.backlog().why) == (1, "too long")
    assert len(Outbox(tmp_path / "usage.db").next(9)) == 2
    assert sending.backlog().refused == 0


def test_how_much_waits_is_a_figure() -> None:
    def told(backlog: Backlog) -> str:
        figures = ServiceFigures(None)
        figures.registry.register(Unsent(figures, lambda: backlog))
        return generate_latest(figures.registry).decode()

    assert 'prominence_restapi_unsent_attempts{why="waiting"} 7.0' in told(Backlog(waiting=7, since=1, refused=2))
    assert 'prominence_restapi_unsent_attempts{why="refused"} 2.0' in told(Backlog(waiting=7, since=1, refused=2))


THERE: Mapping[str, Any] = {"urls": ["https://search.example.org:9200"]}


@pytest.mark.parametrize(
    "settings",
    [
        {"urls": []},
        {"urls": ["search.example.org"]},
        {"urls": ["https://alice:secret@search.example.org"]},
        {"urls": ["ftp://search.example.org"]},
        {"user": "alice"},
        {"password_file": "/secret"},
        {"user": "alice", "password_file": "/secret", "api_key_file": "/key"},
        {"urls": ["http://search.example.org"], "api_key_file": "/key"},
        {"index": "Prominence"},
        {"index": "_all"},
        {"index": "a*"},
    ],
    ids=str,
)
def test_settings_that_would_not_work_or_tell_others_a_secret_are_refused(settings: dict[str, Any]) -> None:
    ElasticsearchSettings.model_validate(THERE)
    with pytest.raises(ValidationError):
        ElasticsearchSettings.model_validate({**THERE, **settings})


def test_a_store_that_is_chosen_must_be_somewhere() -> None:
    with pytest.raises(ValidationError, match="must say where it is"):
        AccountingSettings.model_validate({"store": "elasticsearch"})
    assert AccountingSettings.model_validate({"elasticsearch": THERE}).copied_to is None
    chosen = AccountingSettings.model_validate({"store": "elasticsearch", "elasticsearch": THERE}).copied_to
    assert chosen is not None
    assert chosen.called == "prominence at https://search.example.org:9200"
