"""`prominence worker pilot`: a worker of the pool's own, in a batch job that imc has submitted."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path

import click

from prominence.cli.surroundings import Surroundings
from prominence.cli.worker import daemons, offer, orders, start, text
from prominence.cli.worker.home import Home, write_secret
from prominence.cli.worker.offer import Offer
from prominence.cli.worker.shift import Shift, Stop

_LONGEST_ORDERS = 1024 * 1024


@click.command()
@click.option("--directory", type=click.Path(path_type=Path, exists=True, file_okay=False), default="/tmp",
              show_default=True, help="Where it makes a directory of its own.")  # fmt: skip
@click.option("--condor", type=click.Path(path_type=Path), help="Directory of HTCondor's tarball. Default: by PATH.")
@click.pass_obj
def pilot(surroundings: Surroundings, /, directory: Path, condor: Path | None) -> None:
    """Be a worker of the pool's, as standard input says. Batch scripts of imc call this; people have `worker start`."""
    environment = dict(surroundings.environment)
    told, job = orders.read(sys.stdin.read(_LONGEST_ORDERS)), offer.batch_job(environment)
    found = daemons.find(condor, environment)
    ends_at = job.ends_at if job else None
    if ends_at is None and told.minutes is not None:
        ends_at = int(surroundings.today()) + told.minutes * 60
    # What it offers else imc has written.
    offered = Offer(cpus=1, memory_mib=offer.LEAST_MIB, ends_at=ends_at)
    say, stop = partial(click.echo, err=True), Stop()
    stop.heed()
    home = Home(Path(tempfile.mkdtemp(prefix=f"prominence-{told.worker}-", dir=directory)))
    with home.held(), start.scratch(home, None) as scratch:
        start.lay_out(home, found, scratch.execute, offered, environment)
        (home.part / text.OWN).write_text(told.config)
        write_secret(home.invitation, told.invitation)
        if told.proxies:
            write_secret(home.proxies, told.proxies)
        inner = start.environment(home, found, scratch, environment)
        shift = Shift(home, offered, inner, say, stop)
        start.run(shift, lambda: say(f"{told.worker} joins the pool."), is_invited=True)
