"""What the Azure of the tests has and takes: see azure_server."""

from __future__ import annotations

import base64
import re
from typing import Any

from flask import Response, jsonify

TENANT, APPLICATION, SECRET = "a-tenant", "an-application", "hidden-word"
SUBSCRIPTION, GROUP, REGION = "0b1f6471-1bf0-4dda-aec3-cb9272f09590", "workers", "north"
PATH = f"/subscriptions/{SUBSCRIPTION}"
IN_GROUP = f"{PATH}/resourceGroups/{GROUP}/providers"
SUBNET = f"{IN_GROUP}/Microsoft.Network/virtualNetworks/net/subnets/inner"
GALLERY = f"{IN_GROUP}/Microsoft.Compute/galleries/ours/images"
FULL = {
    "code": "ProvisioningState/failed/AllocationFailed",
    "level": "Error",
    "displayStatus": "Provisioning failed",
    "message": "Allocation failed. We do not have sufficient capacity for the requested VM size in this region.",
}


def _sku(name: str, cpus: int, memory: float, more: dict[str, str] | None = None, **said: Any) -> dict[str, Any]:
    can = {"vCPUs": str(cpus), "MemoryGB": str(memory), "LowPriorityCapable": "True", **(more or {})}
    capabilities = [{"name": name, "value": value} for name, value in can.items()]
    return {"resourceType": "virtualMachines", "name": name, "capabilities": capabilities, "restrictions": [], **said}


SKUS = [
    {"resourceType": "disks", "name": "Premium_LRS"},
    _sku("Small", 2, 4),
    _sku("Large", 8, 16),
    _sku("Seeing", 8, 56, {"GPUs": "2"}),
    _sku("Constrained", 16, 128, {"vCPUsAvailable": "4"}),
    _sku("Full", 2, 3.5),
    _sku("Refused", 2, 4, restrictions=[{"type": "Location", "values": [REGION]}]),
    _sku("Elsewhere", 2, 4, restrictions=[{"type": "Zone", "restrictionInfo": {"zones": ["2"]}}]),
]
IMAGES = {
    "worker-a": ({}, {"1.0.0": "2026-01-01T00:00:00Z", "1.1.0": "2026-03-01T00:00:00Z"}),
    "worker-b": ({"architecture": "x64"}, {"1.0.0": "2026-02-01T00:00:00Z"}),
    "worker-c": ({"architecture": "Arm64"}, {"1.0.0": "2026-04-01T00:00:00Z"}),
    "other": ({}, {"1.0.0": "2026-05-01T00:00:00Z"}),
}
FIELDS = {
    "hardwareProfile": {"vmSize"},
    "storageProfile": {"imageReference", "osDisk"},
    "osProfile": {"computerName", "customData", "adminUsername", "linuxConfiguration"},
    "networkProfile": {"networkApiVersion", "networkInterfaceConfigurations"},
    "priority": (),
    "evictionPolicy": (),
    "billingProfile": {"maxPrice"},
}


def mistake(name: str, body: dict[str, Any]) -> tuple[Response, int] | None:
    """What Azure finds wrong with a machine at once."""
    properties = body["properties"]
    for part, said in properties.items():
        unknown = {part} - FIELDS.keys() or (said.keys() - FIELDS[part] if isinstance(said, dict) else set())
        if unknown:
            return error(400, "BadRequest", f"Could not find member '{min(unknown)}' on object of type 'Properties'.")
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9.-]{0,63}", name) or properties["osProfile"]["computerName"] != name:
        return error(400, "InvalidParameter", f"The name '{name}' is invalid.")
    kind = properties["hardwareProfile"]["vmSize"]
    if kind not in [one["name"] for one in SKUS]:
        return error(400, "InvalidParameter", f"The value {kind} provided for the VM size is not valid.")
    image = properties["storageProfile"]["imageReference"]
    known = [f"{GALLERY}/{one}/versions/{version}" for one, (_, versions) in IMAGES.items() for version in versions]
    if image.get("id") not in known and image.get("publisher") != "Debian":
        code = "GalleryImageNotFound" if "id" in image else "PlatformImageNotFound"
        return error(404, code, f"The image '{image}' is not available in {REGION} region.")
    if "evictionPolicy" in properties and properties.get("priority") != "Spot":
        return error(400, "OperationNotAllowed", "Eviction policy can be set only on Azure Spot Virtual Machines.")
    linux = properties["osProfile"]["linuxConfiguration"]
    if linux["disablePasswordAuthentication"] and not linux["ssh"]["publicKeys"][0]["keyData"].startswith("ssh-"):
        return error(400, "InvalidParameter", "Authentication using SSH keys needs a key.")
    if len(base64.b64decode(properties["osProfile"]["customData"], validate=True)) > 65535:
        return error(400, "InvalidParameter", "Custom data in OSProfile must be in Base64 and at most 64 KiB.")
    return None


def error(status: int, code: str, message: str) -> tuple[Response, int]:
    """As Azure tells one."""
    return jsonify(error={"code": code, "message": message}), status
