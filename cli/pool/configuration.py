"""What the pool's services are told, one TOML file each, written anew by every `up`."""

from __future__ import annotations

import hashlib
from typing import Any

import tomli_w

from prominence.cli.pool.layout import API_PATH, API_PORT, MIN_FREE_DISK_MIB, PUBLIC, Pool, PoolSettings
from prominence.cli.pool.secrets import PROXIES, local_user

COLLECTOR = "ap"
ETCD = "etcd:2379"
IMC_HOST, IMC_PORT = "imc-control", 9700
SECRETS = "/run/prominence/secrets"
KEYS = "/run/prominence/keys"

FLAVOURS = [
    {"name": "small", "cpus": 2, "memory_mib": 4000, "disk_mib": 20480, "price": 0.1},
    {"name": "medium", "cpus": 4, "memory_mib": 8000, "disk_mib": 40960, "price": 0.2},
    {"name": "large", "cpus": 8, "memory_mib": 16000, "disk_mib": 81920, "price": 0.4},
]
"""Kinds of worker. The prices only say which is the smaller; on one machine nothing is billed."""


def write_configuration(pool: Pool, settings: PoolSettings, images: dict[str, str], socket: str) -> dict[str, str]:
    """config/restapi.toml, scaler.toml and imc.toml in the state directory; the digest of each, by service."""
    folder = pool.state / "config"
    folder.mkdir(parents=True, exist_ok=True)
    digests = {}
    for name, document in (
        ("restapi", _restapi(pool, settings)),
        ("scaler", _scaler(pool, settings)),
        ("imc", _imc(pool, settings, images, socket)),
    ):
        text = f"# Written by `prominence pool up`; changes here are lost.\n{tomli_w.dumps(document)}"
        (folder / f"{name}.toml").write_text(text)
        digests[name] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return digests


def _restapi(pool: Pool, settings: PoolSettings) -> dict[str, Any]:
    return {
        "url": f"http://127.0.0.1:{settings.port}{API_PATH}",
        "workers_url": f"http://{COLLECTOR}:{API_PORT}{API_PATH}",
        "sandboxes_dir": str(pool.state / "jobs"),
        "min_free_disk_mib": MIN_FREE_DISK_MIB,
        "token_key_file": f"{SECRETS}/api.key",
        "roles": {"health_for_all": True},
        # Its one user may have all of it.
        "requests_per_s": 0,
        "etcd_endpoints": [ETCD],
        "log_file": str(pool.state / "log" / "restapi" / "restapi.log"),
        "data": {"directory": str(pool.state / "objects")},
        "imc": {"url": f"http://{IMC_HOST}:{IMC_PORT}", "token_file": f"{SECRETS}/owners.token"},
        "archive": {
            "file": str(pool.state / "archive" / "jobs.db"),
            "history_file": str(pool.state / "condor" / "spool" / "history"),
            "events_file": str(pool.state / "condor" / "events" / "jobs"),
            "epochs_file": str(pool.state / "condor" / "epochs" / "runs"),
        },
        **_shares(settings),
        **_mail(settings),
        **_webhooks(settings),
    }


def _mail(settings: PoolSettings) -> dict[str, Any]:
    """From its user to its user, by a server that wants no login."""
    if settings.mail_server is None or settings.mail_to is None:
        return {}
    host, _, port = settings.mail_server.partition(":")
    mail: dict[str, Any] = {"host": host, "port": int(port or 25), "security": "none", "interval_s": 2.0}
    return {"mail": {**mail, "sender": settings.mail_to, "addresses": {local_user(): settings.mail_to}}}


def _shares(settings: PoolSettings) -> dict[str, Any]:
    shares = [{"group": group, "quota": quota} for group, quota in sorted(settings.shares.items())]
    return {"accounting": {"shares": shares}} if shares else {}


def _webhooks(settings: PoolSettings) -> dict[str, Any]:
    if settings.webhooks is None:
        return {}
    allowed = [] if settings.webhooks == PUBLIC else settings.webhooks.split(",")
    return {"webhooks": {"allowed_networks": allowed, "interval_s": 2.0}}


def _scaler(pool: Pool, settings: PoolSettings) -> dict[str, Any]:
    log = pool.state / "log" / "scaler"
    return {
        "etcd_endpoints": [ETCD],
        "interval_s": 1.0,
        "plans_file": str(log / "plans.jsonl"),
        "log_file": str(log / "scaler.log"),
        "htcondor": {"events_file": str(pool.state / "condor" / "events" / "jobs")},
        # What this pool's machines cost is made up: they are kept for as long as --idle-time says.
        "policy": {"idle_time_s": settings.idle_time, "idle_boots": 0, "max_workers": settings.max_workers},
        "imc": {"url": f"http://{IMC_HOST}:{IMC_PORT}", "token_file": f"{SECRETS}/imc.token"},
    }


def _imc(pool: Pool, settings: PoolSettings, images: dict[str, str], socket: str) -> dict[str, Any]:
    return {
        "host": IMC_HOST,
        "port": IMC_PORT,
        # For Prometheus beside the other services.
        "metrics": {"host": IMC_HOST},
        "token_file": f"{SECRETS}/imc.token",
        "owners_token_file": f"{SECRETS}/owners.token",
        "etcd_endpoints": [ETCD],
        "interval_s": 1.0,
        "log_file": str(pool.state / "log" / "imc" / "imc.log"),
        "deadlines": {"join_s": 120},
        "pool": {
            "name": pool.name,
            "collector": COLLECTOR,
            "keys_dir": KEYS,
            "revocations_file": str(pool.state / "condor" / "revoked.conf"),
            "proxies_file": str(pool.secrets / PROXIES),
            "task_network": settings.task_network,
        },
        "clouds": {
            "docker": {
                "type": "docker",
                "socket": socket,
                "image": images["worker"],
                "network": pool.network,
                "state_dir": str(pool.state),
                "limit": settings.max_workers,
                "flavours": FLAVOURS,
            },
        },
    }
