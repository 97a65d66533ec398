"""What the pool's services are told, one TOML file each, written anew by every `up`."""

from __future__ import annotations

from typing import Any

import tomli_w

from prominence.cli.pool.layout import Pool, PoolSettings

ETCD = "etcd:2379"
IMC_URL = "http://imc-control:9700"
SECRETS = "/run/prominence/secrets"


def write_configuration(pool: Pool, settings: PoolSettings, images: dict[str, str]) -> None:
    """config/restapi.toml, scaler.toml and imc.toml in the state directory."""
    folder = pool.state / "config"
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in (
        ("restapi", _restapi(pool)),
        ("scaler", _scaler(pool, settings)),
        ("imc", _imc(pool, settings, images)),
    ):
        (folder / f"{name}.toml").write_text(
            f"# Written by `prominence pool up`; changes here are lost.\n{tomli_w.dumps(document)}"
        )


def _restapi(pool: Pool) -> dict[str, Any]:
    return {}


def _scaler(pool: Pool, settings: PoolSettings) -> dict[str, Any]:
    return {}


def _imc(pool: Pool, settings: PoolSettings, images: dict[str, str]) -> dict[str, Any]:
    return {}
