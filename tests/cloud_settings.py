"""Settings of clouds on the servers of the tests, with the files of credentials that those take."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import azure_offers
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from openstack_server import PASSWORD

from prominence.imc.declared_machines import AzureSettings, EC2Settings, GoogleSettings, OpenStackSettings


@cache
def _private_key() -> str:
    """Of nobody: each test run has its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(kind, form, serialization.NoEncryption()).decode()


def google_settings(url: str, home: Path, **changes: Any) -> GoogleSettings:
    """For the server of these tests."""
    file = home / "google.json"
    account = {"client_email": "imc@a-project.iam.gserviceaccount.com", "private_key": _private_key()}
    file.write_text(json.dumps(account))
    return GoogleSettings(
        **{
            "type": "google",
            "project": "a-project",
            "region": "north-1",
            "zone": "north-1-b",
            "credentials_file": file,
            "image": {"id": "worker-2"},
            "flavours": ("small", "full"),
            "endpoint": url,
            "poll_s": 0,
            "settle_s": 4,
            **changes,
        }
    )


def openstack_settings(url: str, home: Path, **changes: Any) -> OpenStackSettings:
    """For the server of these tests."""
    file = home / "clouds.yaml"
    auth = {"auth_url": f"{url}/v3", "username": "u", "password": PASSWORD, "project_name": "p"}
    file.write_text(yaml.safe_dump({"clouds": {"openstack": {"auth": auth}}}))
    return OpenStackSettings(
        **{
            "type": "openstack",
            "region": "north",
            "credentials_file": file,
            "image": {"id": "new"},
            "flavours": ("small", "full"),
            "poll_s": 0,
            "settle_s": 4,
            **changes,
        }
    )


def ec2_settings(url: str, home: Path, **changes: Any) -> EC2Settings:
    """For a server of moto's."""
    file = home / "credentials"
    file.write_text("[default]\naws_access_key_id = AK\naws_secret_access_key = hidden-word\n")
    return EC2Settings(
        **{
            "type": "ec2",
            "region": "eu-west-1",
            "credentials_file": file,
            "image": {"id": "ami-12345678"},
            "flavours": ("m5.*",),
            "endpoint": url,
            "poll_s": 0,
            "settle_s": 4,
            **changes,
        }
    )


def azure_settings(url: str, home: Path, **changes: Any) -> AzureSettings:
    """For the server of these tests."""
    file = home / "azure.json"
    principal = {
        "tenant": azure_offers.TENANT,
        "appId": azure_offers.APPLICATION,
        "password": azure_offers.SECRET,
    }
    file.write_text(json.dumps(principal))
    return AzureSettings(
        **{
            "type": "azure",
            "subscription": azure_offers.SUBSCRIPTION,
            "resource_group": azure_offers.GROUP,
            "region": azure_offers.REGION,
            "network": azure_offers.SUBNET,
            "credentials_file": file,
            "image": {"id": f"{azure_offers.GALLERY}/worker-a/versions/1.0.0"},
            "flavours": ("Small", "Full"),
            "endpoint": url,
            "login_endpoint": url,
            "poll_s": 0,
            "settle_s": 4,
            **changes,
        }
    )
