"""What a new machine finds on its disk when it starts: its token, its HTCondor configuration, its broker's.

Everything that is the same for all workers (daemons, slot users, security policy) is part of their image.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from prominence.core import classads
from prominence.core.bootstrap import Patience, WorkerBootstrap
from prominence.core.condor_config import config
from prominence.core.machines import Flavour, Market
from prominence.imc import condor_text
from prominence.imc.ports import File, Layout

TOKEN = "/etc/condor/tokens.d/pool"
CONFIG = "/etc/condor/config.d/50-worker.conf"
BROKER = "/etc/prominence/broker.json"
IMAGES = "/var/lib/prominence/images"
PROXIES = "/etc/prominence/proxies.json"
INVITATION = "/etc/prominence/invitation.json"


def files(bootstrap: WorkerBootstrap, layout: Layout) -> tuple[File, ...]:
    """The files with which a worker joins its pool."""
    made = (
        _way_in(bootstrap),
        File(CONFIG, 0o644, _config(bootstrap, layout)),
        File(BROKER, 0o600, json.dumps(_broker(bootstrap, layout), indent=2, sort_keys=True) + "\n"),
    )
    if not bootstrap.proxies:
        return made
    # For the executor, which is whoever the job's slot is. Tasks see none of the worker's files.
    proxies = {name: value.get_secret_value() for name, value in bootstrap.proxies.items()}
    return (*made, File(PROXIES, 0o644, json.dumps(proxies) + "\n"))


def _way_in(bootstrap: WorkerBootstrap) -> File:
    """Its token, or what the worker's program join-pool asks for one with."""
    if bootstrap.token is not None:
        return File(TOKEN, 0o600, bootstrap.token.get_secret_value().strip() + "\n")
    assert bootstrap.invitation is not None
    said = bootstrap.invitation
    document = {"url": said.url, "worker": bootstrap.name, "secret": said.secret.get_secret_value(), "ca": said.ca}
    return File(INVITATION, 0o600, json.dumps(document) + "\n")


def _config(bootstrap: WorkerBootstrap, layout: Layout) -> str:
    values = config(
        {
            "CONDOR_HOST": _host(bootstrap.collector),
            "COLLECTOR_HOST": bootstrap.collector,
            "TRUST_DOMAIN": bootstrap.trust_domain,
            "NETWORK_HOSTNAME": bootstrap.name,
            "EXECUTE": bootstrap.execute_dir,
            "NUM_CPUS": bootstrap.flavour.size.cpus,
            "MEMORY": bootstrap.flavour.size.memory_mib,
            **_patience(bootstrap.patience),
            # Nobody opens a connection to such a machine: it is called through the collector, and opens it itself.
            **({"CCB_ADDRESS": bootstrap.collector} if layout.by_user_data else {}),
            **_notices(bootstrap.flavour, layout),
            **_allowed(bootstrap.runtimes_allowed),
            **_whose_jobs(bootstrap.groups),
        }
    )
    attributes = condor_text.attributes(
        {
            classads.WORKER: bootstrap.name,
            classads.CLOUD: bootstrap.flavour.cloud,
            classads.REGION: bootstrap.flavour.region,
            classads.FLAVOUR: bootstrap.flavour.name,
            classads.MARKET: bootstrap.flavour.market.value,
            classads.TASK_NETWORK: bootstrap.task_network,
            **({classads.REQUEST_ID: bootstrap.order} if bootstrap.order else {}),
        }
    )
    return f"# Written by imc for this worker alone.\n{values}{attributes}"


def _allowed(runtimes: Sequence[str]) -> dict[str, str | int]:
    """For the program that tells the startd what works here."""
    options = " ".join(f"--allow {name}" for name in runtimes)
    return {"STARTD_CRON_RUNTIMES_ARGS": options} if options else {}


def _whose_jobs(groups: Sequence[str]) -> dict[str, str | int]:
    return {"START": classads.jobs_of_groups(groups)} if groups else {}


def _patience(patience: Patience) -> dict[str, str | int]:
    """For the program that ends a worker which nobody needs or removes."""
    times = {"PROMINENCE_LOST_AFTER_S": patience.lost_s, "PROMINENCE_UNUSED_AFTER_S": patience.unused_s}
    return {name: seconds for name, seconds in times.items() if seconds}


def _notices(flavour: Flavour, layout: Layout) -> dict[str, str | int]:
    """For the program that makes way before the cloud takes the worker away."""
    return {"PROMINENCE_NOTICES": layout.notices} if layout.notices and flavour.market is Market.SPOT else {}


def _broker(bootstrap: WorkerBootstrap, layout: Layout) -> dict[str, str | int]:
    return {
        "pool": bootstrap.pool,
        "worker": bootstrap.name,
        "docker_socket": layout.docker_socket,
        "tasks_dir": layout.tasks_dir,
        "execute_dir": bootstrap.execute_dir,
        "cpus": bootstrap.flavour.size.cpus,
        "memory_mib": bootstrap.flavour.size.memory_mib,
        "images_dir": IMAGES,
        "images_mib": bootstrap.images_mib,
        "task_network": layout.outbound_network if bootstrap.task_network == "outbound" else "none",
        "worker_network": layout.worker_network,
    }


def _host(collector: str) -> str:
    """Without the port: HTCondor compares CONDOR_HOST with names of hosts."""
    host, colon, port = collector.rpartition(":")
    return host if colon and port.isdigit() else collector
