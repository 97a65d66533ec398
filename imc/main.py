"""The command prominence-imc: settings, clouds and tokens read, then the process that runs with them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from prominence.core import logs
from prominence.core.errors import CredentialsRefused, Mistake, ProminenceError, Rejected, sentence
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.settings import load, shown
from prominence.imc import admin, command
from prominence.imc.adapters.docker import DockerCloud
from prominence.imc.adapters.htcondor import HTCondorPool
from prominence.imc.adapters.infrastructure_manager import ManagedCloud
from prominence.imc.adapters.infrastructure_manager_api import authorization
from prominence.imc.adapters.prometheus import Metrics
from prominence.imc.adapters.slurm import SlurmCloud
from prominence.imc.declared import CloudSettings, DockerSettings, ManagedSettings
from prominence.imc.declared_machines import AzureSettings, EC2Settings, GoogleSettings, OpenStackSettings
from prominence.imc.declared_slurm import SlurmSettings
from prominence.imc.ports import Cloud
from prominence.imc.process import Process
from prominence.imc.records import Records
from prominence.imc.reload import Configured, merged
from prominence.imc.settings import ImcSettings

if TYPE_CHECKING:
    from prominence.imc.adapters.libcloud_provider import Provider


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    given = _parser().parse_args(arguments)
    try:
        settings = load(ImcSettings, "imc", given.config)
        if given.show_settings:
            print(shown(settings, "imc", given.config))
            return 0
        if given.command == command.NAME:
            command.run(
                given,
                Records(EtcdKeyValue(settings.etcd_endpoints, tls=settings.etcd_tls)),
                HTCondorPool(settings.pool),
                _now(),
            )
            return 0
        token = _secret(settings.token_file)
        if given.command:
            api = admin.Api(f"http://{settings.host}:{settings.port}", token.get_secret_value())
            print(admin.run(given, api))
            return 0
        owners_token = _secret(settings.owners_token_file) if settings.owners_token_file is not None else None
        configured = Configured(settings, _clouds(settings))
        logs.configure("imc", settings.log_file, settings.log_level)
        return serve(configured, partial(_again, given.config), token, owners_token)
    except (ProminenceError, OSError) as error:
        print(f"prominence-imc: {sentence(error)}", file=sys.stderr)
        return 1


def serve(
    configured: Configured,
    again: Callable[[Configured], Configured],
    token: SecretStr,
    owners_token: SecretStr | None,
) -> int:
    """Run until a signal says stop (0) or the API's thread ends (1). again: reads the settings anew."""
    settings, metrics = configured.settings, Metrics()
    store = EtcdKeyValue(settings.etcd_endpoints, tls=settings.etcd_tls)
    process = Process(configured, again, store, HTCondorPool(settings.pool), metrics, _now)
    metrics.serve(settings.metrics)
    was_told = process.run(token, owners_token)
    for cloud in process.clouds:
        if isinstance(cloud, DockerCloud):
            cloud.close()
    return 0 if was_told else 1


def _again(file: Path | None, before: Configured) -> Configured:
    """What the settings say now. A cloud of which nothing has changed stays, with what it knows."""
    settings, later = merged(before.settings, load(ImcSettings, "imc", file))
    known = before.settings.clouds
    same = {name: cloud for name, cloud in before.clouds.items() if settings.clouds.get(name) == known[name]}
    return Configured(settings, {**_clouds(settings), **same}, later)


def _clouds(settings: ImcSettings) -> dict[str, Cloud]:
    """Those that are declared. Raises Rejected with all that cannot be used."""
    clouds: dict[str, Cloud] = {}
    mistakes: list[Mistake] = []
    if settings.joining is None and any(declared.type != "docker" for declared in settings.clouds.values()):
        mistakes.append(Mistake("joining", "is needed for clouds with virtual machines, which get their tokens there"))
    for name, declared in settings.clouds.items():
        try:
            clouds[name] = _cloud(name, declared, settings.pool.name)
        except CredentialsRefused as error:
            mistakes.append(Mistake(f"clouds.{name}.credentials_file", str(error)))
        except ImportError as error:
            mistakes.append(Mistake(f"clouds.{name}.type", f"needs a library that is not installed here: {error}"))
    if mistakes:
        raise Rejected(mistakes)
    return clouds


def _cloud(name: str, declared: CloudSettings, pool: str) -> Cloud:
    if isinstance(declared, DockerSettings):
        return DockerCloud(name, declared, pool)
    if isinstance(declared, ManagedSettings):
        authorization(declared)  # asks nobody yet
        return ManagedCloud(name, declared, pool)
    if isinstance(declared, SlurmSettings):
        return SlurmCloud(name, declared, pool)
    from prominence.imc.adapters.libcloud import LibcloudCloud  # its library is only where it was chosen

    provider = _provider(declared, pool)
    provider.check()
    return LibcloudCloud(name, declared, provider)


def _provider(declared: AzureSettings | EC2Settings | GoogleSettings | OpenStackSettings, pool: str) -> Provider:
    from prominence.imc.adapters.libcloud_azure import Azure
    from prominence.imc.adapters.libcloud_ec2 import EC2
    from prominence.imc.adapters.libcloud_google import Google
    from prominence.imc.adapters.libcloud_openstack import OpenStack

    match declared:
        case AzureSettings():
            return Azure(declared, pool)
        case EC2Settings():
            return EC2(declared, pool)
        case GoogleSettings():
            return Google(declared, pool)
        case OpenStackSettings():
            return OpenStack(declared, pool)


def _secret(file: Path) -> SecretStr:
    try:
        text = file.read_text().strip()
    except (OSError, ValueError) as error:
        raise Rejected.because(f"the token cannot be read: {error}", str(file)) from error
    if not text:
        raise Rejected.because("the file of the token is empty", str(file))
    return SecretStr(text)


def _now() -> datetime:
    return datetime.now(UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("prominence-imc", description="Machines on clouds, for a pool of workers.")
    parser.add_argument("--config", type=Path, help="file of settings (default: /etc/prominence/imc.toml)")
    parser.add_argument("--show-settings", action="store_true", help="show the settings in force and end")
    command.add_to(admin.add_commands(parser))
    return parser


if __name__ == "__main__":
    sys.exit(main())
