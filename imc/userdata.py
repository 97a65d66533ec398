"""What a new machine finds on its disk when it starts: its token, its HTCondor configuration, its broker's.

Everything that is the same for all workers (daemons, slot users, security policy) is part of their image.
"""

from __future__ import annotations

import json

from prominence.core import classads
from prominence.core.bootstrap import WorkerBootstrap
from prominence.imc import condor_text
from prominence.imc.ports import File, Layout

TOKEN = "/etc/condor/tokens.d/pool"
CONFIG = "/etc/condor/config.d/50-worker.conf"
BROKER = "/etc/prominence/broker.json"
PROXIES = "/etc/prominence/proxies.json"


def files(bootstrap: WorkerBootstrap, layout: Layout) -> tuple[File, ...]:
    """The files with which a worker joins its pool."""
    made = (
        File(TOKEN, 0o600, bootstrap.token.get_secret_value().strip() + "\n"),
        File(CONFIG, 0o644, _config(bootstrap)),
        File(BROKER, 0o600, json.dumps(_broker(bootstrap, layout), indent=2, sort_keys=True) + "\n"),
    )
    if not bootstrap.proxies:
        return made
    # For the executor, which is whoever the job's slot is. Tasks see none of the worker's files.
    proxies = {name: value.get_secret_value() for name, value in bootstrap.proxies.items()}
    return (*made, File(PROXIES, 0o644, json.dumps(proxies) + "\n"))


def _config(bootstrap: WorkerBootstrap) -> str:
    values = condor_text.config(
        {
            "CONDOR_HOST": _host(bootstrap.collector),
            "COLLECTOR_HOST": bootstrap.collector,
            "TRUST_DOMAIN": bootstrap.trust_domain,
            "NETWORK_HOSTNAME": bootstrap.name,
            "EXECUTE": bootstrap.execute_dir,
            "NUM_CPUS": bootstrap.flavour.size.cpus,
            "MEMORY": bootstrap.flavour.size.memory_mib,
        }
    )
    attributes = condor_text.attributes(
        {
            classads.WORKER: bootstrap.name,
            classads.CLOUD: bootstrap.flavour.cloud,
            classads.REGION: bootstrap.flavour.region,
            classads.FLAVOUR: bootstrap.flavour.name,
            classads.TASK_NETWORK: bootstrap.task_network,
        }
    )
    return f"# Written by imc for this worker alone.\n{values}{attributes}"


def _broker(bootstrap: WorkerBootstrap, layout: Layout) -> dict[str, str | int]:
    return {
        "pool": bootstrap.pool,
        "worker": bootstrap.name,
        "docker_socket": layout.docker_socket,
        "tasks_dir": layout.tasks_dir,
        "execute_dir": bootstrap.execute_dir,
        "cpus": bootstrap.flavour.size.cpus,
        "memory_mib": bootstrap.flavour.size.memory_mib,
        "task_network": layout.outbound_network if bootstrap.task_network == "outbound" else "none",
    }


def _host(collector: str) -> str:
    """Without the port: HTCondor compares CONDOR_HOST with names of hosts."""
    host, colon, port = collector.rpartition(":")
    return host if colon and port.isdigit() else collector
