"""`prominence upload, download, ls, rm, quota`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from prominence.cli import render, transfers, view
from prominence.cli.commands import options
from prominence.cli.errors import ClientError
from prominence.cli.kept import Kept, kept
from prominence.cli.surroundings import Surroundings
from prominence.cli.transfers import Progress


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--filename", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The file to upload.")
@click.option("--name", help="The object's name; GROUP/NAME in a group's area. Default: the file's.")
@click.option("--checksum", help="The file's SHA-256 checksum. Default: as it is found.")
@click.pass_obj
def upload(
    surroundings: Surroundings, /, file: Path | None, filename: Path | None, name: str | None, checksum: str | None
) -> None:
    """Upload FILE, for your jobs to use as an artifact.

    An object of the same name is replaced, when all of it has arrived.
    """
    chosen = file or filename
    if chosen is None or (file and filename):
        raise click.UsageError("The file to upload is needed, once: as FILE or with --filename.")
    called = name or chosen.name
    with surroundings.client() as client, _bars() as bars:
        client.data.upload(chosen, called, checksum or "", bars.bar(render.clean(called), chosen.stat().st_size))
    click.echo(f"Uploaded {render.clean(called)}")


@click.command()
@options.job_ids(several=False)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--dir", "directory", is_flag=True, help="Into a directory named by the job's id.")
@click.option("--concurrency", type=click.IntRange(1, 100), default=10, show_default=True, help="Files at once.")
@click.pass_obj
def download(surroundings: Surroundings, /, job_id: int, force: bool, directory: bool, concurrency: int) -> None:
    """Download what a job has kept.

    A download that was broken off goes on where it was. Directories come as .tgz.
    """
    with surroundings.client() as client:
        job = client.job(job_id)
    if not view.ended(job):
        raise ClientError(f"Job {job_id} has not ended: it is {render.clean(view.status(job))}.")
    into = surroundings.directory / str(job_id) if directory else surroundings.directory
    wanted = list(kept(job, into))
    if not wanted:
        raise ClientError(f"Job {job_id} has kept nothing.")
    with _bars() as bars, ThreadPoolExecutor(concurrency) as pool:
        done = list(pool.map(lambda one: _fetch(one, force, surroundings, bars), wanted))
    for line in done:
        click.echo(line.text, err=line.failed)
    raise click.exceptions.Exit(ClientError.exit_code if any(line.failed for line in done) else 0)


@click.command()
@click.argument("path", default="")
@click.option("-l", "--long", is_flag=True, help="With sizes and times.")
@options.as_json
@click.pass_obj
def ls(surroundings: Surroundings, /, path: str, long: bool, output: str) -> None:
    """List your objects, or with PATH those of a group."""
    with surroundings.client() as client:
        found = client.data.list(path)
    if output == "json":
        click.echo(render.as_json(found))
    elif long:
        rows = [[render.clean(str(one.get(key, ""))) for key in ("size", "lastModified", "name")] for one in found]
        click.echo(render.table(("SIZE", "LAST MODIFIED", "NAME"), rows))
    else:
        for one in found:
            click.echo(render.clean(view.text(one, "name")))


@click.command()
@click.argument("name")
@click.pass_obj
def rm(surroundings: Surroundings, /, name: str) -> None:
    """Delete the object NAME."""
    with surroundings.client() as client:
        client.data.delete(name)


@click.command()
@options.as_json
@click.pass_obj
def quota(surroundings: Surroundings, /, output: str) -> None:
    """Tell how much room you and your groups have, and what is used.

    Sizes are in bytes.
    """
    with surroundings.client() as client:
        told = client.data.quota()
    if output == "json":
        click.echo(render.as_json(told))
        return
    spaces = [("yours", view.mapping(told, "user"))]
    spaces += [(name, view.mapping(view.mapping(told, "groups"), name)) for name in view.mapping(told, "groups")]
    rows = [[render.clean(name), *(str(space.get(key, "")) for key in _SPACE)] for name, space in spaces]
    click.echo(render.table(("", "UPLOADS", "OUTPUTS", "USED", "QUOTA"), rows))


_SPACE = ("uploads", "outputs", "used", "quota")


@dataclass(frozen=True)
class _Line:
    text: str
    failed: bool = False


def _fetch(wanted: Kept, force: bool, surroundings: Surroundings, bars: _Bars) -> _Line:
    name = render.clean(wanted.name)
    if wanted.file.exists() and not force:
        return _Line(f"prominence: {name} is there already; --force replaces it.", failed=True)
    try:
        wanted.file.parent.mkdir(parents=True, exist_ok=True)
        transfers.download(surroundings.web(wanted.url), wanted.url, wanted.file, bars.bar(name, wanted.size))
    except ClientError as error:
        return _Line(f"prominence: {name}: {render.clean(str(error))}", failed=True)
    except OSError as error:
        return _Line(f"prominence: {name}: {error.strerror or error}.", failed=True)
    return _Line(f"Downloaded {name}")


class _Bars:
    """A bar for each file, where somebody watches; else nothing."""

    def __init__(self, bars: Bars | None) -> None:
        self._bars = bars

    def bar(self, name: str, size: int | None) -> Progress:
        bars = self._bars
        if bars is None:
            return lambda _: None
        task = bars.add_task(name, total=size)
        return lambda gone: bars.advance(task, gone)


@contextmanager
def _bars() -> Iterator[_Bars]:
    if not sys.stderr.isatty():
        yield _Bars(None)
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bars(bars)
