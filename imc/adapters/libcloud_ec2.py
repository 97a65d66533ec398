"""EC2, of Amazon and of clouds that speak as it does."""

from __future__ import annotations

import configparser
import hashlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from libcloud.compute.base import Node as Machine
from libcloud.compute.base import NodeImage, NodeSize
from libcloud.compute.drivers.ec2 import NAMESPACE, EC2NetworkSubnet, EC2NodeDriver
from libcloud.utils.xml import findall, findtext

from prominence.core.errors import CredentialsRefused
from prominence.core.machines import Market, Quota, Size
from prominence.imc.adapters import cloud_errors
from prominence.imc.adapters.libcloud_provider import Offer
from prominence.imc.adapters.marks import POOL, WORKER
from prominence.imc.declared_machines import EC2Settings

_PAGE = 1000


class _Driver(EC2NodeDriver):
    """Libcloud's, which reads all pages of a list of machines and asks for no addresses."""

    def pages(self, filters: dict[str, Any], page: int) -> list[Machine]:
        """All instances that the filters leave."""
        params = {"Action": "DescribeInstances", "MaxResults": str(page), **self._build_filters(filters)}
        found: list[Machine] = []
        while True:
            answer = self.connection.request(self.path, params=params).object
            for reservation in findall(element=answer, xpath="reservationSet/item", namespace=NAMESPACE):
                found += self._to_nodes(reservation, "instancesSet/item")
            more = findtext(element=answer, xpath="nextToken", namespace=NAMESPACE)
            if not more:
                return found
            params["NextToken"] = more

    def mark(self, resource: str, tags: dict[str, str]) -> None:
        """Tag it. Libcloud's own verb counts from 0, which only Amazon takes."""
        params = {"Action": "CreateTags", "ResourceId.1": resource}
        for number, (key, value) in enumerate(tags.items(), 1):
            params |= {f"Tag.{number}.Key": key, f"Tag.{number}.Value": value}
        self.connection.request(self.path, params=params)


class EC2:
    """Promise: see libcloud_provider.Provider."""

    errors = cloud_errors.EC2
    notices = "ec2"

    def __init__(self, declared: EC2Settings, pool: str, page: int = _PAGE) -> None:
        self._declared = declared
        self._pool = pool
        self._page = page

    def check(self) -> None:
        credentials(self._declared)

    def connect(self) -> _Driver:
        key, secret, token = credentials(self._declared)
        options: dict[str, Any] = {"region": self._declared.region, "timeout": self._declared.timeout_s, "token": token}
        if self._declared.endpoint:
            address = urlsplit(self._declared.endpoint)
            secure = address.scheme == "https"
            options |= {"host": address.hostname, "port": address.port or (443 if secure else 80), "secure": secure}
        return _Driver(key, secret, signature_version="4", **options)

    def machines(self, driver: _Driver) -> list[Machine]:
        return driver.pages({f"tag:{POOL}": self._pool}, self._page)

    def is_leaving(self, machine: Machine) -> bool:
        return bool(machine.extra.get("status") == "shutting-down")

    def fault(self, machine: Machine) -> str:
        reason = machine.extra.get("reason") or ""
        return str(reason)

    def was_taken(self, machine: Machine) -> bool:
        return self.fault(machine).startswith("Server.Spot")

    def sizes(self, driver: _Driver) -> list[NodeSize]:
        found: list[NodeSize] = driver.list_sizes()
        return found

    def images(self, driver: _Driver) -> list[NodeImage]:
        wanted = self._declared.image
        if wanted.id:
            return [
                NodeImage(id=wanted.id, name=wanted.id, driver=driver)
            ]  # whether it is there is seen when it is used
        filters = {"state": "available"}
        if wanted.name:
            filters["name"] = wanted.name
        if wanted.architecture:
            filters["architecture"] = wanted.architecture
        found: list[NodeImage] = driver.list_images(ex_owner=wanted.owner or None, ex_filters=filters)
        return sorted(found, key=lambda image: (str(image.extra.get("creation_date") or ""), image.id), reverse=True)

    def quota(self, driver: _Driver, ours: Sequence[Machine]) -> Quota:
        """Of its quotas this API tells none that holds: `max-instances` is of a time before virtual CPUs counted."""
        return Quota()

    def size(self, offered: NodeSize) -> Size:
        extra = offered.extra
        return Size(
            cpus=_number(extra.get("vcpu")),
            memory_mib=int(offered.ram),
            disk_mib=int(offered.disk or 0) * 1024,
            gpus=_number(extra.get("gpu")),
        )

    def create(self, driver: _Driver, name: str, offer: Offer, image: NodeImage, user_data: str) -> None:
        declared = self._declared
        options: dict[str, Any] = {
            "ex_metadata": {POOL: self._pool, WORKER: name},
            "ex_userdata": user_data,
            # The same request twice makes one machine; another of this name is refused while the first is known.
            "ex_clienttoken": hashlib.sha256(f"{self._pool}/{name}/{offer.name}".encode()).hexdigest(),
            "ex_terminate_on_shutdown": True,
            "ex_keyname": declared.key or None,
            "ex_assign_public_ip": declared.public_address,
        }
        if declared.network:
            options["ex_subnet"] = EC2NetworkSubnet(declared.network, declared.network, "available")
            options["ex_security_group_ids"] = list(declared.security_groups)
        elif declared.security_groups:
            options["ex_security_groups"] = list(declared.security_groups)
        if offer.market is Market.SPOT:
            options |= {"ex_spot": True, "ex_spot_max_price": declared.spot_max_price}
        if declared.boot_volume_gib:
            disk = {"VolumeSize": declared.boot_volume_gib, "DeleteOnTermination": "true"}
            options["ex_blockdevicemappings"] = [{"DeviceName": declared.root_device, "Ebs": disk}]
        driver.create_node(name=name, size=offer.size, image=image, **options)

    def before_deletion(self, driver: _Driver, name: str, machine: Machine) -> None:
        """Disks of the image that do not end with their machine are known by our marks when it is gone."""
        for volume in driver.list_volumes(node=machine):
            driver.mark(volume.id, {POOL: self._pool, WORKER: name})

    def clear(self, driver: _Driver, name: str) -> None:
        marks = {f"tag:{POOL}": self._pool, f"tag:{WORKER}": name, "status": "available"}
        for volume in driver.list_volumes(ex_filters=marks):
            driver.destroy_volume(volume)


def credentials(declared: EC2Settings) -> tuple[str, str, str | None]:
    """Key, secret and session token of AWS's file. Raises CredentialsRefused, which names the file and no content."""
    file, parser = declared.credentials_file, configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(file.read_text("utf-8"))
        section = parser[declared.profile]
        return (
            section["aws_access_key_id"],
            section["aws_secret_access_key"],
            section.get("aws_session_token"),
        )
    except OSError as error:
        raise CredentialsRefused(f"{file} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise CredentialsRefused(f"{file} has no {error.args[0]} in the profile {declared.profile}") from None
    except (configparser.Error, UnicodeDecodeError):
        raise CredentialsRefused(f"{file} is not a file of AWS's credentials") from None  # its text is a secret


def _number(text: object) -> int:
    digits = str(text or "")
    return int(digits) if digits.isdigit() else 0
