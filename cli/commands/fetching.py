"""Files that commands fetch: some at once, with bars where somebody watches, and a line for each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Columns

from prominence.cli import transfers
from prominence.cli.errors import ClientError
from prominence.cli.kept import Kept
from prominence.cli.render.text import clean
from prominence.cli.surroundings import Surroundings
from prominence.cli.transfers import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class Line:
    """What to tell of a file."""

    text: str
    failed: bool = False


class Bars:
    """A bar for each thing, where somebody watches; else nothing."""

    def __init__(self, columns: Columns | None) -> None:
        self._columns = columns

    def bar(self, name: str, size: int | None) -> Progress:
        """One more. size: all of it in bytes; None where that is not known."""
        columns = self._columns
        if columns is None:
            return lambda _: None
        task = columns.add_task(name, total=size)
        return lambda gone: columns.advance(task, gone)


@contextmanager
def bars() -> Iterator[Bars]:
    """On stderr, while this lasts."""
    if not sys.stderr.isatty():
        yield Bars(None)
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Columns(*columns, console=Console(stderr=True), transient=True) as shown:
        yield Bars(shown)


def fetch_all(
    wanted: Iterable[tuple[Kept, Progress]], force: bool, at_once: int, surroundings: Surroundings
) -> Generator[Line, None, None]:
    """All of these, in their order. Those that are being fetched break off when this is interrupted, or closed."""
    over = Event()

    def one(what: tuple[Kept, Progress]) -> Line:
        return fetch(what[0], force, surroundings, _until(over, what[1]), _until(over, over.wait))

    with ThreadPoolExecutor(at_once) as pool:
        try:
            yield from pool.map(one, wanted)
        finally:
            over.set()  # the pool waits for what its threads have begun


def _until(over: Event, act: Callable[[T], object]) -> Callable[[T], None]:
    def acting(argument: T) -> None:
        act(argument)
        if over.is_set():
            raise CancelledError

    return acting


def is_there(wanted: Kept) -> bool:
    """Whether all of the file has been fetched before: it appears when all has arrived."""
    return wanted.file.is_file() and wanted.size in (None, wanted.file.stat().st_size)


def fetch(
    wanted: Kept,
    force: bool,
    surroundings: Surroundings,
    progress: Progress,
    sleep: Callable[[float], object] = time.sleep,
) -> Line:
    """One file; what is there already is left alone without `force`."""
    name = clean(wanted.name)
    if wanted.file.exists() and not force:
        return Line(f"prominence: {name} is there already; --force replaces it.", failed=True)
    try:
        wanted.file.parent.mkdir(parents=True, exist_ok=True)
        transfers.download(surroundings.web(wanted.url), wanted.url, wanted.file, progress, sleep)
    except ClientError as error:
        return Line(f"prominence: {name}: {clean(str(error))}", failed=True)
    except OSError as error:
        return Line(f"prominence: {name}: {error.strerror or error}.", failed=True)
    return Line(f"Downloaded {name}")
