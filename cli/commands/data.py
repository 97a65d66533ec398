"""`prominence upload, download, ls, rm, quota`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from prominence.cli import view
from prominence.cli.commands import options
from prominence.cli.commands.fetching import Bars, Line, bars, fetch, fetch_all, is_there
from prominence.cli.errors import ClientError
from prominence.cli.kept import Kept, kept
from prominence.cli.kept_by_workflow import kept_by_workflow
from prominence.cli.render.documents import as_json
from prominence.cli.render.table import table
from prominence.cli.render.text import clean
from prominence.cli.surroundings import Surroundings
from prominence.cli.view import JobId


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
    with surroundings.client() as client, bars() as shown:
        client.data.upload(chosen, called, checksum or "", shown.bar(clean(called), chosen.stat().st_size))
    click.echo(f"Uploaded {clean(called)}")


@click.command()
@options.job_or_workflow
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--dir", "directory", is_flag=True, help="Into a directory named by the id.")
@click.option("--concurrency", type=click.IntRange(1, 100), default=10, show_default=True, help="Files at once.")
@click.pass_obj
def download(
    surroundings: Surroundings, /, of: options.JobOrWorkflow, force: bool, directory: bool, concurrency: int
) -> None:
    """Download what a job, or all jobs of a workflow, have kept.

    A download that was broken off goes on where it was. Directories come as .tgz.

    Of a workflow each job has a directory, and in it each instance; files that are there already are passed over.
    """
    into = surroundings.directory / str(of.id) if directory else surroundings.directory
    of_what = _of_workflow if of.is_workflow else _of_job
    failed = False
    with bars() as shown:
        for lines in of_what(of.id, into, force, concurrency, surroundings, shown):
            for line in lines:
                click.echo(line.text, err=line.failed)
                failed |= line.failed
    raise click.exceptions.Exit(ClientError.exit_code if failed else 0)


@click.command()
@options.job_id
@click.argument("path")
@click.option(
    "--file",
    default=Path("snapshot.tgz"),
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to.",
)
@click.pass_obj
def snapshot(surroundings: Surroundings, /, job_id: JobId, path: str, file: Path) -> None:
    """Fetch a copy of PATH from a running job's home. PATH is a file or a directory."""
    with surroundings.client() as client:
        url = client.take_snapshot(job_id, path)
    with bars() as shown:
        one = Kept(str(file), url, surroundings.directory / file, None)
        line = fetch(one, True, surroundings, shown.bar(clean(one.name), None))
    click.echo(line.text, err=line.failed)
    raise click.exceptions.Exit(ClientError.exit_code if line.failed else 0)


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
        click.echo(as_json(found))
    elif long:
        rows = [[clean(str(one.get(key, ""))) for key in ("size", "lastModified", "name")] for one in found]
        click.echo(table(("SIZE", "LAST MODIFIED", "NAME"), rows))
    else:
        for one in found:
            click.echo(clean(view.text(one, "name")))


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
        click.echo(as_json(told))
        return
    spaces = [("yours", view.mapping(told, "user"))]
    spaces += [(name, view.mapping(view.mapping(told, "groups"), name)) for name in view.mapping(told, "groups")]
    rows = [[clean(name), *(str(space.get(key, "")) for key in _SPACE)] for name, space in spaces]
    click.echo(table(("", "UPLOADS", "OUTPUTS", "USED", "QUOTA"), rows))


_SPACE = ("uploads", "outputs", "used", "quota")


def _of_job(
    job_id: JobId, into: Path, force: bool, at_once: int, surroundings: Surroundings, shown: Bars
) -> Iterator[list[Line]]:
    with surroundings.client() as client:
        job = client.job(job_id)
    if not view.ended(job):
        raise ClientError(f"Job {job_id} has not ended: it is {clean(view.status(job))}.")
    wanted = list(kept(job, into))
    if not wanted:
        raise ClientError(f"Job {job_id} has kept nothing.")
    marked = [(one, shown.bar(clean(one.name), one.size)) for one in wanted]
    yield list(fetch_all(marked, force, at_once, surroundings))


def _of_workflow(
    workflow_id: JobId, into: Path, force: bool, at_once: int, surroundings: Surroundings, shown: Bars
) -> Iterator[list[Line]]:
    """Some at a time. There is one bar: of thousands nobody would see anything."""
    bar = shown.bar(f"workflow {workflow_id}", None)
    have = found = 0
    with surroundings.client() as client:
        for some in kept_by_workflow(client.workflows, int(workflow_id), into):
            missing = [one for one in some if force or not is_there(one)]
            found, have = found + len(some), have + len(some) - len(missing)
            yield list(fetch_all([(one, bar) for one in missing], force, at_once, surroundings))
    if not found:
        raise ClientError(f"No job of workflow {workflow_id} has kept anything so far.")
    if have:
        yield [Line(f"{have} of {found} files were there already.")]
