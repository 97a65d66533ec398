"""OpenStack: Nova for machines, Glance for images, Keystone for the credentials in a file such as clouds.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from types import SimpleNamespace
from typing import Any

import yaml
from libcloud.compute.base import Node as Machine
from libcloud.compute.base import NodeImage, NodeSize
from libcloud.compute.drivers.openstack import OpenStack_2_NodeDriver

from prominence.core.errors import CredentialsRefused
from prominence.core.machines import Quota, Size
from prominence.imc.adapters import cloud_errors
from prominence.imc.adapters.libcloud_provider import Offer
from prominence.imc.adapters.marks import POOL, WORKER
from prominence.imc.declared_machines import ImageSettings, OpenStackSettings


class _Driver(OpenStack_2_NodeDriver):
    """Libcloud's, which keeps of images what we choose them by."""

    def matching(self, wanted: ImageSettings) -> list[dict[str, Any]]:
        """Glance's documents of the active images that are as wanted, the newest first."""
        glance: Any = self.image_connection
        every: list[dict[str, Any]] = self._paginated_request_next("/v2/images", glance.request, "images")
        found = [image for image in every if image.get("status") == "active" and _is_as(wanted, image)]
        return sorted(found, key=lambda image: (str(image.get("created_at")), str(image["id"])), reverse=True)

    def limits(self) -> dict[str, Any]:
        """Nova's limits of the project, and what is used of them. Whoever may make a machine may read them."""
        found: dict[str, Any] = self.connection.request("/limits").object["limits"]["absolute"]
        return found

    def flavour_of(self, machine: Machine) -> str:
        """The id of its flavour."""
        return str(machine.extra.get("flavorId") or "")


class OpenStack:
    """Promise: see libcloud_provider.Provider."""

    errors = cloud_errors.OPENSTACK
    notices = ""

    def __init__(self, declared: OpenStackSettings, pool: str) -> None:
        self._declared = declared
        self._pool = pool

    def check(self) -> None:
        credentials(self._declared)

    def connect(self) -> _Driver:
        user, secret, options = credentials(self._declared)
        region, timeout = self._declared.region, self._declared.timeout_s
        return _Driver(user, secret, ex_force_service_region=region, timeout=timeout, **options)

    def machines(self, driver: _Driver) -> list[Machine]:
        return [one for one in driver.list_nodes() if (one.extra.get("metadata") or {}).get(POOL) == self._pool]

    def is_leaving(self, machine: Machine) -> bool:
        return bool(machine.extra.get("task_state") == "deleting")

    def fault(self, machine: Machine) -> str:
        fault = machine.extra.get("fault") or {}
        return str(fault.get("message", "")).strip()

    def was_taken(self, machine: Machine) -> bool:
        return False  # they are to be kept

    def sizes(self, driver: _Driver) -> list[NodeSize]:
        found: list[NodeSize] = driver.list_sizes()
        return found

    def images(self, driver: _Driver) -> list[NodeImage]:
        wanted = self._declared.image
        if wanted.id:
            return [NodeImage(id=wanted.id, name=wanted.id, driver=driver)]  # using it shows whether it is there
        found = driver.matching(wanted)
        return [NodeImage(id=image["id"], name=str(image.get("name")), driver=driver) for image in found]

    def quota(self, driver: _Driver, ours: Sequence[Machine]) -> Quota:
        """The project's quota less what others have there."""
        limits = driver.limits()
        sizes = {str(offered.id): self.size(offered) for offered in driver.list_sizes()}
        own = [sizes[flavour] for one in ours if (flavour := driver.flavour_of(one)) in sizes]

        def for_us(most: str, used: str, by_us: int) -> int | None:
            limit = int(limits.get(most, -1))  # -1: any number
            return None if limit < 0 else max(0, limit - max(0, int(limits.get(used, 0)) - by_us))

        return Quota(
            machines=for_us("maxTotalInstances", "totalInstancesUsed", len(ours)),
            cpus=for_us("maxTotalCores", "totalCoresUsed", sum(size.cpus for size in own)),
            memory_mib=for_us("maxTotalRAMSize", "totalRAMUsed", sum(size.memory_mib for size in own)),
        )

    def size(self, offered: NodeSize) -> Size:
        return Size(
            cpus=int(getattr(offered, "vcpus", 0) or 0),
            memory_mib=int(offered.ram),
            disk_mib=int(offered.disk or 0) * 1024,
            gpus=_gpus(offered.extra or {}),
        )

    def create(self, driver: _Driver, name: str, offer: Offer, image: NodeImage, user_data: str) -> None:
        declared = self._declared
        options: dict[str, Any] = {
            "image": image,
            "ex_metadata": {POOL: self._pool, WORKER: name},
            "ex_userdata": user_data,
            "ex_config_drive": declared.config_drive,
            "ex_keyname": declared.key or None,
            "networks": [SimpleNamespace(id=declared.network)] if declared.network else [],
            "ex_security_groups": [SimpleNamespace(name=group) for group in declared.security_groups],
            "ex_availability_zone": declared.availability_zone or None,
        }
        if declared.boot_volume_gib:
            options["image"] = None
            options["ex_blockdevicemappings"] = [
                {
                    "boot_index": 0,
                    "uuid": image.id,
                    "source_type": "image",
                    "destination_type": "volume",
                    "volume_size": declared.boot_volume_gib,
                    "delete_on_termination": True,
                }
            ]
        driver.create_node(name, offer.size, **options)

    def before_deletion(self, driver: _Driver, name: str, machine: Machine) -> None:
        """Its only disk goes with it."""

    def clear(self, driver: _Driver, name: str) -> None:
        """Nothing is left."""


def credentials(declared: OpenStackSettings) -> tuple[str, str, dict[str, Any]]:
    """User, secret and Libcloud's options. Raises CredentialsRefused, which names the file and no content."""
    file, entry = declared.credentials_file, declared.profile
    try:
        said = yaml.safe_load(file.read_text("utf-8"))["clouds"][entry]["auth"]
        options: dict[str, Any] = {"ex_force_auth_url": str(said["auth_url"]).rstrip("/").removesuffix("/v3")}
        if "application_credential_id" in said:
            options["ex_force_auth_version"] = "3.x_appcred"
            return str(said["application_credential_id"]), str(said["application_credential_secret"]), options
        options |= {
            "ex_force_auth_version": "3.x_password",
            "ex_tenant_name": str(said["project_name"]),
            "ex_domain_name": str(said.get("user_domain_name", "Default")),
            "ex_tenant_domain_id": str(said.get("project_domain_id", "default")),
        }
        return str(said["username"]), str(said["password"]), options
    except OSError as error:
        raise CredentialsRefused(f"{file} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise CredentialsRefused(f"{file} has no {error.args[0]} for the cloud {entry}") from None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, AttributeError):
        raise CredentialsRefused(f"{file} is no file such as clouds.yaml") from None  # its text is a secret


def _is_as(wanted: ImageSettings, image: dict[str, Any]) -> bool:
    """All that is said is true of it."""
    said = {
        "architecture": wanted.architecture,
        "os_distro": wanted.distribution,
        "os_version": wanted.version,
        "owner": wanted.owner,
    }
    fits = all(not text or str(image.get(key)) == text for key, text in said.items())
    return fits and (not wanted.name or fnmatchcase(str(image.get("name")), wanted.name))


def _gpus(specifications: dict[str, Any]) -> int:
    """As flavours ask for them: an alias of a device with a number, or virtual ones."""
    number = str(specifications.get("pci_passthrough:alias", "")).rpartition(":")[2]
    number = number or str(specifications.get("resources:VGPU", ""))
    return int(number) if number.isdigit() else 0
