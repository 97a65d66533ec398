"""A machine on Azure as it is asked for. It has no identity, and so no rights there."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from libcloud.compute.base import NodeImage

from prominence.core.machines import Market
from prominence.imc.adapters.libcloud_provider import Offer
from prominence.imc.adapters.marks import POOL, WORKER
from prominence.imc.declared_machines import AzureSettings


def wanted(
    declared: AzureSettings, pool: str, name: str, offer: Offer, image: NodeImage, user_data: str
) -> dict[str, Any]:
    """The body of the request, with our marks, as Azure's reference has it."""
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": offer.size.name},
        "storageProfile": {
            "imageReference": image_reference(image.id),
            "osDisk": {
                "name": f"{name}-disk",
                "createOption": "FromImage",
                "diskSizeGB": declared.boot_volume_gib,
                "managedDisk": {"storageAccountType": declared.disk_type},
                "deleteOption": "Delete",
            },
        },
        "osProfile": {
            "computerName": name,
            "customData": base64.b64encode(user_data.encode()).decode(),
            **_login(declared.key),
        },
        "networkProfile": {
            "networkApiVersion": "2020-11-01",
            "networkInterfaceConfigurations": [_interface(declared, name)],
        },
    }
    if offer.market is Market.SPOT:
        # Of one that was deleted nobody could tell why it is gone.
        properties |= {"priority": "Spot", "evictionPolicy": "Deallocate"}
        properties["billingProfile"] = {"maxPrice": declared.spot_max_price or -1}
    zones = {"zones": [declared.zone]} if declared.zone else {}
    return {"location": declared.region, "tags": {POOL: pool, WORKER: name}, **zones, "properties": properties}


def image_reference(id: str) -> dict[str, str]:
    """Of an image's path, or of one in the marketplace: PUBLISHER:OFFER:SKU:VERSION."""
    if id.startswith("/"):
        return {"id": id}
    return dict(zip(("publisher", "offer", "sku", "version"), id.split(":"), strict=True))


def _interface(declared: AzureSettings, name: str) -> dict[str, Any]:
    address: dict[str, Any] = {"primary": True, "subnet": {"id": declared.network}}
    if declared.public_address:
        address["publicIPAddressConfiguration"] = {
            "name": f"{name}-address",
            "sku": {"name": "Standard"},
            "properties": {"deleteOption": "Delete", "publicIPAllocationMethod": "Static"},
        }
    properties: dict[str, Any] = {
        "primary": True,
        "deleteOption": "Delete",
        "ipConfigurations": [{"name": "workers", "properties": address}],
    }
    if declared.security_groups:
        properties["networkSecurityGroup"] = {"id": declared.security_groups[0]}
    return {"name": f"{name}-interface", "properties": properties}


def _login(key: str) -> dict[str, Any]:
    """Azure makes no machine without an account that somebody could use: where nobody is to, its key is nobody's."""
    user, _, public = key.partition(":")
    user, public = (user, public) if key else ("nobody-at-all", _key_of_nobody())
    keys = [{"path": f"/home/{user}/.ssh/authorized_keys", "keyData": public}]
    return {
        "adminUsername": user,
        "linuxConfiguration": {"disablePasswordAuthentication": True, "ssh": {"publicKeys": keys}},
    }


@cache
def _key_of_nobody() -> str:
    """Its private half is kept nowhere."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072).public_key()
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
