"""`prominence worker`: workers of your own, for your jobs alone."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from prominence.cli import configuration
from prominence.cli.commands import options
from prominence.cli.commands.pilot import pilot
from prominence.cli.errors import ClientError
from prominence.cli.render.documents import as_json
from prominence.cli.render.table import table
from prominence.cli.render.text import clean, utc
from prominence.cli.surroundings import Surroundings
from prominence.cli.worker import daemons, offer, resources, start, text
from prominence.cli.worker.background import in_background
from prominence.cli.worker.home import Home, homes, present, write_secret
from prominence.cli.worker.offer import BARE, ISOLATING, LABEL, Offer, Wanted
from prominence.cli.worker.shift import Shift, Stop

_GONE_WITHIN_S = 120
_COLUMNS = ("NAME", "STATUS", "HOST", "CPUS", "MEMORY", "SINCE", "UNTIL")


def _check_name(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not LABEL.fullmatch(value):
        raise click.BadParameter("small letters, digits and dashes, 32 at the most", context, parameter)
    return value


@click.group()
def worker() -> None:
    """Run your jobs on machines of your own.

    These are a laptop, a login node, a batch job. Nobody else's jobs come there.
    """


@worker.command("start")
@click.option("--name", callback=_check_name, help="Its name. Default: the machine's, with a batch job's number.")
@click.option("--cpus", type=click.IntRange(1), help="Cores for jobs. Default: all that this process may use.")
@click.option("--memory", type=click.FloatRange(0.128), help="GB for jobs. Default: the batch job's, or what is free.")
@click.option(
    "--idle-time",
    "idle_s",
    type=click.IntRange(0),
    metavar="SECONDS",
    help="Leave when there was no job for so long. 0: stay. Default: 600 in a batch job, else 0.",
)
@click.option(
    "--walltime",
    type=click.FloatRange(0, min_open=True),
    metavar="MINUTES",
    help="Leave after so long, and take no job that would not end before. Default: the batch job's.",
)
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    type=click.Choice([*ISOLATING, *BARE]),
    help="Offer this and no other; may be repeated. Default: all that work and isolate; udocker and process "
    "isolate nothing.",
)
@click.option(
    "--task-network",
    type=click.Choice(["none", "outbound"]),
    default="none",
    show_default=True,
    help="What tasks in containers may reach.",
)
@click.option("--condor", type=click.Path(path_type=Path), help="Directory of HTCondor's tarball. Default: by PATH.")
@click.option(
    "--scratch",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where jobs have their files. Default: TMPDIR in a batch job, else beside the worker's own.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with what `prominence token worker` prints. Default: a new token, by your login.",
)
@click.option("--collector", default="", metavar="HOST[:PORT]", help="Of the pool, where the service does not tell.")
@click.option("--detach", is_flag=True, help="Go on in the background; `worker stop` ends it.")
@click.pass_obj
def start_worker(surroundings: Surroundings, /, detach: bool, **said: Any) -> None:
    """Join the pool as a worker for your jobs. Ctrl-C lets them go back to the queue, and leaves nothing behind."""
    order = _order(surroundings, said)
    if detach:
        in_background(partial(_run, order, _into(order.home)))
        click.echo(f"Worker {order.home.name} runs; its log is {order.home.said}", err=True)
        return
    _run(order, partial(click.echo, err=True), lambda: None)


@dataclass(frozen=True)
class _Order:
    """All that is known before anything is done."""

    home: Home
    offer: Offer
    daemons: daemons.Daemons
    admission: start.Admission
    scratch: Path | None
    environment: dict[str, str]

    @property
    def name(self) -> str:
        """In the pool."""
        return f"{self.home.name}.{self.admission.owner}"


def _order(surroundings: Surroundings, said: dict[str, Any]) -> _Order:
    environment = dict(surroundings.environment)
    job = offer.batch_job(environment)
    wanted = Wanted(
        **{name: said[name] for name in ("cpus", "memory", "walltime", "idle_s", "runtimes", "task_network")}
    )
    offered = offer.offer(wanted, job, resources.here(), surroundings.today())
    found = daemons.find(said["condor"], environment)
    name = said["name"] or offer.label(socket.gethostname(), job)
    tmp = environment.get("TMPDIR") if job else None
    return _Order(
        Home(homes(configuration.state_home(environment, surroundings.home)) / name),
        offered,
        found,
        _admission(surroundings, said["token_file"], said["collector"]),
        said["scratch"] or (Path(tmp) if tmp else None),
        environment,
    )


def _admission(surroundings: Surroundings, token_file: Path | None, collector: str) -> start.Admission:
    if token_file is not None:
        return start.admission({"token": token_file.read_text(errors="replace")}, collector)

    def ask() -> start.Admission:
        with surroundings.client() as client:
            return start.admission(client.tokens.for_workers(), collector, ask)

    return ask()


def _run(order: _Order, say: Callable[[str], object], started: Callable[[], None]) -> None:
    stop, home = Stop(), order.home
    stop.heed()
    with home.held(), start.scratch(home, order.scratch) as scratch:
        start.lay_out(home, order.daemons, scratch.execute, order.offer, order.environment)
        where = order.admission.collector
        told = text.of_user(order.name, where, order.admission.trust_domain, order.offer)
        (home.part / text.OWN).write_text(told)
        write_secret(home.token, order.admission.token + "\n")
        outer = start.environment(home, order.daemons, scratch, order.environment)
        renewal = start.Renewal(home, order.admission, say)

        def begun() -> None:
            home.write_running(
                name=order.name,
                cpus=order.offer.cpus,
                memoryMib=order.offer.memory_mib,
                since=int(time.time()),
                until=order.offer.ends_at,
            )
            say(f"{order.name} joins the pool at {where}: {_room(order.offer)}. Ctrl-C or `worker stop` ends it.")
            started()

        start.run(Shift(home, order.offer, outer, say, stop, renewal), begun)


def _room(offered: Offer) -> str:
    until = "" if offered.ends_at is None else f", until {utc(offered.ends_at)}"
    return f"{offered.cpus} cores, {offered.memory_mib / 1000:g} GB{until}"


def _into(home: Home) -> Callable[[str], object]:
    def say(line: str) -> None:
        with open(home.said, "a", encoding="utf-8") as file:
            file.write(f"{utc(int(time.time()))} {line}\n")

    return say


@worker.command("list")
@options.as_json
@click.pass_obj
def list_workers(surroundings: Surroundings, /, output: str) -> None:
    """List the workers that you have started from here."""
    found = []
    for home in present(configuration.state_home(surroundings.environment, surroundings.home)):
        told = home.read_running()
        status = "gone, and left logs" if told is None else "running" if told.get("since") else "starting"
        found.append({**(told or {}), "name": home.name, "status": status})
    if output == "json":
        click.echo(as_json(found))
        return
    click.echo(table(_COLUMNS, [_row(one) for one in found]))


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    memory = one.get("memoryMib")
    times = (utc(one[key]) if isinstance(one.get(key), int) else "" for key in ("since", "until"))
    host, cpus = (clean(str(one.get(key, ""))) for key in ("host", "cpus"))
    shown = f"{memory / 1000:g}" if isinstance(memory, int) else ""
    return (clean(one["name"]), one["status"], host, cpus, shown, *times)


@worker.command("stop")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.pass_obj
def stop_workers(surroundings: Surroundings, /, names: tuple[str, ...]) -> None:
    """End workers that you have started from here, or all of them. Their jobs go back to the queue."""
    there = {home.name: home for home in present(configuration.state_home(surroundings.environment, surroundings.home))}
    for name in names or [name for name, home in there.items() if home.read_running()]:
        if name not in there:
            raise ClientError(f"There is no worker {ascii(name)} here.")
        _stop(there[name], surroundings)
        click.echo(f"Worker {clean(name)} has ended")


def _stop(home: Home, surroundings: Surroundings) -> None:
    told = home.read_running()
    if told is None:
        home.remove()
        return
    if told.get("host") != socket.gethostname():
        raise ClientError(f"Worker {home.name} runs on {clean(str(told.get('host')))}: stop it there.")
    os.kill(int(told["pid"]), signal.SIGTERM)
    until = surroundings.clock.now() + _GONE_WITHIN_S
    while home.read_running() is not None:
        if surroundings.clock.now() > until:
            raise ClientError(f"Worker {home.name} has not ended within {_GONE_WITHIN_S} s.")
        surroundings.clock.sleep(0.5)


worker.add_command(pilot)
