"""HTCondor's configuration of a worker that an ordinary user runs. Pure.

The parts that all workers have in common come from the images' recipes; these stand behind them.
"""

from __future__ import annotations

import re
from pathlib import Path

from prominence.cli.errors import ClientError
from prominence.cli.worker.daemons import Daemons
from prominence.cli.worker.home import Home
from prominence.cli.worker.offer import BARE, Offer
from prominence.core import lifetimes
from prominence.core.condor_config import config

BEGIN, POOL, WORKER, OWN, MINE, LEAVING = (
    "condor_config",
    "00-pool.conf",
    "10-worker.conf",
    "50-worker.conf",
    "60-own.conf",
    "90-leaving.conf",
)
"""Files: the first, and the parts in their order. MINE: what a user's worker has otherwise than all others."""

_WORD = re.compile(r"[a-z]*")


def begin(home: Home, daemons: Daemons) -> str:
    """Where HTCondor begins to read: what is whose, and where the parts are."""
    return config(
        {
            "RELEASE_DIR": str(daemons.release),
            "BIN": str(daemons.bin),
            "SBIN": str(daemons.sbin),
            "LIBEXEC": str(daemons.libexec),
            "LIB": str(daemons.lib),
            "LOCAL_DIR": str(home.root),
            "LOCAL_CONFIG_DIR": str(home.part),
        }
    )


def of_user(name: str, collector: str, trust_domain: str, offer: Offer) -> str:
    """What imc writes for workers of its own: which pool this one joins, under which name, and what it offers."""
    return config(
        {
            **meeting(collector),
            "TRUST_DOMAIN": trust_domain,
            "NETWORK_HOSTNAME": name,
            "NUM_CPUS": offer.cpus,
            "MEMORY": offer.memory_mib,
            # Nobody need open a connection to a laptop: it is called through the collector, and opens it itself.
            "CCB_ADDRESS": collector,
            "PROMINENCE_LOST_AFTER_S": offer.lost_s,
            "PROMINENCE_UNUSED_AFTER_S": offer.idle_s,
        }
    ) + _attribute("ProminenceTaskNetwork", offer.task_network)


def meeting(collector: str) -> dict[str, str | int]:
    """Where the pool is. HTCondor compares CONDOR_HOST with names of hosts, which have no port."""
    host, colon, port = collector.rpartition(":")
    return {"CONDOR_HOST": host if colon and port.isdigit() else collector, "COLLECTOR_HOST": collector}


def mine(home: Home, execute: Path, offer: Offer, ids: str) -> str:
    """What is otherwise where no root is: directories, accounts, ports. ids: UID.GID of the account."""
    text = config(
        {
            "LOG": str(home.log),
            "SPOOL": str(home.root / "spool"),
            "RUN": str(home.root / "run"),
            "LOCK": str(home.root / "run"),
            "EXECUTE": str(execute),
            "SEC_TOKEN_DIRECTORY": str(home.token.parent),
            "SEC_PASSWORD_DIRECTORY": str(home.root / "none"),
            "SEC_TOKEN_POOL_SIGNING_KEY_FILE": str(home.root / "none/POOL"),
            "DAEMON_LIST": "MASTER, STARTD",
            # Those of another account HTCondor would call USER@NAME, and the collector would refuse them.
            "CONDOR_IDS": ids,
            "SHARED_PORT_PORT": 0,
            "STARTD_CRON_RUNTIMES_EXECUTABLE": str(home.bin / "advertise-runtimes"),
            **({"STARTD_CRON_RUNTIMES_ARGS": " ".join(_of_runtimes(offer))} if offer.runtimes else {}),
            "JOB_INHERITS_STARTER_ENVIRONMENT": "PATH, PROMINENCE_PROXIES",
            "SEC_KNOWN_HOSTS": str(home.root / "run/known_hosts"),
            "MAIL": "",
        }
    )
    return text + until(offer.ends_at)


def until(ends_at: int | None) -> str:
    """That only jobs start that end before, and for the scaler when that is."""
    if ends_at is None:
        return ""
    told = f"{lifetimes.ENDS_AT} = {ends_at}\nSTARTD_ATTRS = $(STARTD_ATTRS), {lifetimes.ENDS_AT}\n"
    return f"{told}START = ($(START)) && ({lifetimes.START})\n"


def _of_runtimes(offer: Offer) -> list[str]:
    """For the program that tells the startd what works here."""
    allowed = [word for name in offer.runtimes if name in BARE for word in ("--allow", name)]
    return allowed + [word for name in offer.runtimes for word in ("--only", name)]


def _attribute(name: str, word: str) -> str:
    if not _WORD.fullmatch(word):
        raise ClientError(f"{word!r} is no word that a machine can tell of itself.")
    return f'{name} = "{word}"\nSTARTD_ATTRS = $(STARTD_ATTRS), {name}\n'
