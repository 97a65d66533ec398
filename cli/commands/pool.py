"""`prominence pool`: a whole service on this machine, for one person."""

from __future__ import annotations

import os
import re
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

import click

from prominence.cli.pool.backup import back_up, put_back
from prominence.cli.pool.bring_up import Wishes, alone, bring_up
from prominence.cli.pool.bundle import ROLES, WORKER, write_bundle
from prominence.cli.pool.containers import ACCESS_POINT, containers, remove_everything, remove_state
from prominence.cli.pool.engine import engine
from prominence.cli.pool.errors import PoolError
from prominence.cli.pool.layout import DEFAULT_NAME, LOGS, NAME_PATTERN, Pool
from prominence.cli.pool.recipes import ensure_images, forget_pulled, present_images, remove_images
from prominence.cli.pool.report import look_at
from prominence.cli.pool.site import GLIBC, PYTHON
from prominence.cli.pool.watch import worker_events

CA_VARIABLES = ("PROMINENCE_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def _shares(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, float] | None:
    """None where nothing is said of them."""
    if not texts or texts == ("none",):
        return {} if texts else None
    try:
        return {group: float(quota) for group, _, quota in (text.rpartition("=") for text in texts)}
    except ValueError:
        raise click.BadParameter("GROUP=QUOTA, such as physics=0.25, or none", context, parameter) from None


def _check_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """It becomes part of containers' and directories' names."""
    if not re.fullmatch(NAME_PATTERN, value):
        raise click.BadParameter("small letters, digits and dashes, 31 at the most", context, parameter)
    return value


pool_name = click.option(
    "--name", callback=_check_name, default=DEFAULT_NAME, show_default=True, help="Which pool; several can run at once."
)


ca_bundle_option = click.option(
    "--ca-bundle",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates that the containers trust, for a site whose proxy has its own "
    f"[{', '.join('$' + name for name in CA_VARIABLES)}].",
)


def say(line: str) -> None:
    """Progress goes to stderr: stdout is for results."""
    click.echo(line, err=True)


@click.group()
def pool() -> None:
    """Run everything on this machine, in containers. That is HTCondor, etcd, the API, the scaler, imc and workers."""


@pool.command()
@pool_name
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the API on 127.0.0.1.")
@click.option("--idle-time", type=click.IntRange(1), help="Seconds without a job until a worker goes [600].")
@click.option("--max-workers", type=click.IntRange(0), help="Workers that may exist at once [4].")
@click.option("--task-network", type=click.Choice(["none", "outbound"]), help="What jobs can reach [none].")
@click.option("--mail-server", metavar="HOST[:PORT]", help="A mail server that tells you of jobs' ends [none].")
@click.option("--mail-to", metavar="ADDRESS", help="Your email address: by it, and from it, you are told.")
@click.option("--webhooks", metavar="public|NETWORK,...", help="Call your programs at jobs' ends: public addresses, or "
              "these networks besides [off].")  # fmt: skip
@click.option(
    "--share", "shares", multiple=True, metavar="GROUP=QUOTA", callback=_shares, help="Which part of all cores a group "
    "gets while others wait as well, such as 0.25. May be repeated; `none`: no group has one any more.")  # fmt: skip
@ca_bundle_option
def up(
    name: str,
    port: int | None,
    idle_time: int | None,
    max_workers: int | None,
    task_network: str | None,
    mail_server: str | None,
    mail_to: str | None,
    webhooks: str | None,
    shares: dict[str, float] | None,
    ca_bundle: Path | None,
) -> None:
    """Start the pool, or bring it to these settings. It ends when its API is well."""
    where = Pool.named(name)
    wishes = Wishes(
        *(port, idle_time, max_workers, task_network),
        mail_server=mail_server,
        mail_to=mail_to,
        webhooks=webhooks,
        shares=shares,
        ca_bundle=ca_bundle or _ca_bundle_of_the_environment(),
    )
    with engine() as docker:
        settings = bring_up(docker, where, wishes, say)
    say(f"The pool {name!r} is up: http://127.0.0.1:{settings.port}, state in {where.state}")
    click.echo(where.environment_file)


@pool.command()
@pool_name
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of the answer.")
@click.pass_context
def status(context: click.Context, name: str, output: str) -> None:
    """Say what runs and what is wrong. Exits with 0 when the pool is up and well, else with 1."""
    with engine() as docker:
        report = look_at(docker, Pool.named(name))
    if output == "json":
        click.echo(report.as_json())
    else:
        for line in report.lines:
            click.echo(line)
        for complaint in report.complaints:
            click.secho(f"WRONG: {complaint}", fg="red")
    context.exit(0 if report.running else 1)


@pool.command()
@pool_name
@click.option("--images", is_flag=True, help="Remove the images too.")
@click.option("--purge", is_flag=True, help="Delete the state too: queue, finished jobs, outputs, keys.")
def down(name: str, images: bool, purge: bool) -> None:
    """Stop the pool; keep its state and images. Its containers and networks are removed."""
    where = Pool.named(name)
    with engine() as docker, alone(where):
        if not remove_everything(docker, where, say) and not where.state.exists():
            say(f"There is no pool {name!r}.")
        if purge:
            say(f"Deleting {where.state}")
            remove_state(docker, where, next(iter(present_images(docker)), None))
            forget_pulled(docker, where.name)
        if images:
            remove_images(docker, say)


@pool.command()
@pool_name
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(name: str, file: Path) -> None:
    """Write what the pool keeps to FILE, while it runs.

    That is its queue, finished jobs, accounts, files and keys: keep FILE as a secret.
    """
    with engine() as docker:
        click.echo(back_up(docker, Pool.named(name), file))


@pool.command()
@pool_name
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@ca_bundle_option
def restore(name: str, file: Path, ca_bundle: Path | None) -> None:
    """Put a backup in place of the state, while the pool is down. FILE is what `backup` wrote."""
    with engine() as docker:
        trusted = ca_bundle or _ca_bundle_of_the_environment()
        click.echo(put_back(docker, Pool.named(name), file, lambda: ensure_images(docker, say, trusted)))


@pool.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--role", type=click.Choice(ROLES), default=WORKER, show_default=True, help="Of which machines.")
@click.option("--python", type=click.Choice(list(GLIBC)), default=PYTHON, show_default=True, help="Python there.")
def bundle(file: Path, role: str, python: str) -> None:
    """Write to FILE what an image has of ours; print its SHA-256. For machines that are no containers.

    A worker's for machines of clouds that install it; both are what the Ansible roles install on a site's own machines.
    """
    try:
        click.echo(write_bundle(file, role, python))
    except OSError as error:
        raise PoolError(f"{file} cannot be written: {error.strerror}") from error


@pool.command()
@pool_name
@click.argument("service", type=click.Choice(sorted(LOGS)), required=False)
@click.option("-n", "--lines", type=click.IntRange(1), default=20, show_default=True, help="Last lines of each.")
def logs(name: str, service: str | None, lines: int) -> None:
    """Print the end of a service's log, or of all."""
    where = Pool.named(name)
    found = False
    for one in [service] if service else LOGS:
        for path in where.log_files(one):
            if path.exists():
                found = True
                click.secho(f"==> {one}: {path}", bold=True)
                with path.open(errors="replace") as file:
                    click.echo("".join(deque(file, lines)), nl=False)
    if not found:
        raise PoolError(f"There is no log yet in {where.state / 'log'}.")


@pool.command()
@pool_name
@click.option("--since", type=click.DateTime(["%Y-%m-%dT%H:%M:%S"]), help="UTC; default: now.")
@click.option("--until-empty", is_flag=True, help="End when the last worker has gone.")
def watch(name: str, since: datetime | None, until_empty: bool) -> None:
    """Print workers as they appear and go."""
    start, where = since.replace(tzinfo=UTC) if since else datetime.now(UTC), Pool.named(name)
    with engine() as docker:
        if not containers(docker, where, ACCESS_POINT):
            say(where.not_running)
        for line in worker_events(docker, where, start, until_empty):
            click.echo(line)


def _ca_bundle_of_the_environment() -> Path | None:
    for variable in CA_VARIABLES:
        if os.environ.get(variable):
            return Path(os.environ[variable])
    return None
