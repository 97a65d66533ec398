"""Libcloud's driver for Azure Resource Manager, with what it has no words for: any address, all pages, no waiting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from libcloud.common.azure_arm import AzureAuthJsonResponse, AzureResourceManagementConnection
from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.base import Node as Machine
from libcloud.compute.drivers.azure_arm import AzureNodeDriver
from libcloud.utils.py3 import urlencode

from prominence.core.errors import CredentialsRefused
from prominence.imc.declared_machines import AzureSettings

COMPUTE_API = "2024-07-01"
SKUS_API = "2021-07-01"
DISKS_API = "2023-10-02"
GALLERY_API = "2023-07-03"
NETWORK_API = "2023-09-01"

_MANAGER, _LOGIN = "https://management.azure.com", "https://login.microsoftonline.com"
_GONE = (204, 404)  # Libcloud takes "no content" for an error


class _Connection(AzureResourceManagementConnection):
    """Libcloud's, at any address, which logs in when it needs to and not with every driver."""

    def __init__(self, key: str, secret: str, *_: Any, cloud_environment: dict[str, str], **options: Any) -> None:
        super().__init__(key, secret, cloud_environment=cloud_environment, **options)
        self._login = urlsplit(cloud_environment["activeDirectoryEndpointUrl"])
        manager = urlsplit(cloud_environment["resourceManagerEndpointUrl"])
        self.secure, self.port = manager.scheme == "https", _port(manager)
        self.expires_on = 0

    def connect(self, *address: Any, **options: Any) -> None:
        super(AzureResourceManagementConnection, self).connect(*address, **options)

    def get_token_from_credentials(self) -> None:
        secure = self._login.scheme == "https"
        connection: Any = self.conn_class(self._login.hostname, _port(self._login), secure=secure, timeout=self.timeout)
        connection.driver = self.driver  # by which an answer that is none is named
        asked = {"grant_type": "client_credentials", "client_id": self.user_id, "client_secret": self.key}
        headers = {"Content-type": "application/x-www-form-urlencoded"}
        body = urlencode({**asked, "resource": self.login_resource})
        connection.request("POST", f"/{self.tenant_id}/oauth2/token", body, headers)
        told: Any = AzureAuthJsonResponse(connection.getresponse(), connection).object
        self.access_token, self.expires_on = told["access_token"], int(told["expires_on"])


class Driver(AzureNodeDriver):
    """Its errors are Libcloud's."""

    connectionCls: Any = _Connection

    def ask(self, path: str, version: str, method: str = "GET", **options: Any) -> Any:
        """What is there, or comes of it."""
        params = {"api-version": version, **options.pop("params", {})}
        return self.connection.request(path, params=params, method=method, **options).object

    def all_of(self, path: str, version: str, **params: str) -> Iterator[dict[str, Any]]:
        """Every item there, on however many pages."""
        while True:
            answer = self.ask(path, version, params=params)
            yield from answer["value"]
            if not answer.get("nextLink"):
                return
            more = urlsplit(answer["nextLink"])
            path, params = more.path, {name: values[0] for name, values in parse_qs(more.query).items()}

    def destroy_node(self, node: Machine, *_: Any) -> bool:
        """Without waiting for its end."""
        return self.remove(str(node.id), COMPUTE_API)

    def remove(self, path: str, version: str) -> bool:
        """Whatever is there; that nothing is is fine."""
        try:
            self.ask(path, version, method="DELETE")
        except BaseHTTPError as error:
            if error.code not in _GONE:
                raise
            return False
        return True

    def mark(self, path: str, version: str, tags: dict[str, str]) -> dict[str, Any]:
        """Tag it, besides what it is tagged with. Returns it as it was."""
        found: dict[str, Any] = self.ask(path, version)
        self.ask(path, version, method="PATCH", data={"tags": {**(found.get("tags") or {}), **tags}})
        return found


def connected(declared: AzureSettings) -> Driver:
    """A driver with the credentials that are in the file now. Raises CredentialsRefused."""
    tenant, application, secret = credentials(declared)
    manager = (declared.endpoint or _MANAGER).rstrip("/")
    environment = {
        "resourceManagerEndpointUrl": manager,
        "activeDirectoryEndpointUrl": declared.login_endpoint or _LOGIN,
        "activeDirectoryResourceId": f"{manager}/",
        "storageEndpointSuffix": "",
    }
    return Driver(
        tenant,
        declared.subscription,
        application,
        secret,
        region=declared.region,
        cloud_environment=environment,
        timeout=declared.timeout_s,
    )


def credentials(declared: AzureSettings) -> tuple[str, str, str]:
    """Tenant, application and secret. Raises CredentialsRefused, which names the file and no content."""
    file = declared.credentials_file
    try:
        said = json.loads(file.read_text("utf-8"))
        return str(said["tenant"]), str(said["appId"]), str(said["password"])
    except OSError as error:
        raise CredentialsRefused(f"{file} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise CredentialsRefused(f"{file} has no {error.args[0]}") from None
    except (ValueError, TypeError):
        raise CredentialsRefused(f"{file} is no service principal in JSON") from None  # its text is a secret


def _port(address: Any) -> int:
    return int(address.port or (443 if address.scheme == "https" else 80))
