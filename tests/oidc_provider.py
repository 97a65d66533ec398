"""A real OpenID Connect provider for tests, npm's oidc-provider on this machine, and a user with a browser."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from servers import Server, free_ports

from prominence.cli.pool.site import cache
from prominence.cli.turns import one_at_a_time

VERSION = "9.13.3"
AUDIENCE = "https://prominence.example.org"
CLIENT, SECRET = "prominence-cli", "known to every copy of the command"
PROGRAM = Path(__file__).parent / "oidc" / "server.mjs"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"

ACCOUNTS = {
    "alice": {
        "preferred_username": "Alice A",
        "groups": ["physics", "/vo/chemistry"],
        "edu_person_entitlements": ["urn:a", "urn:b"],
        "email": "alice@example.org",
        "email_verified": True,
    },
    "bob@example.org": {
        "preferred_username": "bob",
        "edu_person_entitlements": ["urn:a"],
        "email": "bob@example.org",
        "email_verified": False,
    },
}


@dataclass(frozen=True)
class Key:
    """A key that a provider signs with."""

    key_id: str
    private: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def jwk(self) -> dict[str, Any]:
        """With its private half."""
        found = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.private))
        return {**{k: v for k, v in found.items() if k != "key_ops"}, "kid": self.key_id, "alg": "RS256", "use": "sig"}

    def signature(self, signed: str) -> str:
        """Of any text."""
        made = self.private.sign(signed.encode(), PKCS1v15(), SHA256())
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()

    def sign(self, claims: Mapping[str, Any], **headers: Any) -> str:
        """A token of this key."""
        return jwt.encode(dict(claims), self.private, algorithm="RS256", headers={"kid": self.key_id, **headers})


class RealProvider(Server):
    """The provider, on a port of its own. tokens: jwt or opaque."""

    def __init__(self, tokens: str = "jwt", lifetime_s: int = 600) -> None:
        super().__init__()
        [port] = free_ports(1)
        self.issuer = f"http://127.0.0.1:{port}"
        self.keys = [Key("one")]
        self._settings = {"issuer": self.issuer, "port": port, "format": tokens, "accounts": ACCOUNTS}
        self._lifetime_s = lifetime_s

    def start(self) -> None:
        settings = {**self._settings, "keys": [key.jwk for key in self.keys], "lifetime": self._lifetime_s}
        program = _installed() / PROGRAM.name
        self._process = subprocess.Popen(
            ["node", program, json.dumps(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(300):
            try:
                requests.get(f"{self.issuer}/.well-known/openid-configuration", timeout=5)
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise TimeoutError("the identity provider does not start")

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Of alice's token; with None left out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "alice",
            "exp": now + 600,
            "iat": now,
            **ACCOUNTS["alice"],
        }
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    def log_in(self, user: str) -> dict[str, Any]:
        """What the token endpoint answers after a login by device code."""
        asked = self.post("/devicecode", scope="openid profile email offline_access", client_id=CLIENT)
        self.approve(asked["verification_uri"], asked["user_code"], user)
        return self.post("/token", grant_type=GRANT, device_code=asked["device_code"])

    def post(self, path: str, **form: str) -> dict[str, Any]:
        """What an endpoint answers to the command's client."""
        answer = requests.post(self.issuer + path, data=form, auth=(CLIENT, quote(SECRET)), timeout=10)
        answer.raise_for_status()
        found = answer.json() if answer.content else {}
        assert isinstance(found, dict)
        return found

    def approve(self, address: str, user_code: str, user: str) -> None:
        """What a person does with a browser: type the code in, confirm, log in, consent."""
        with requests.Session() as browser:
            page = browser.get(address, timeout=10)
            for _ in range(4):
                page = _fill_in(browser, page, {"user_code": user_code, "login": user, "password": "any"})
        assert "Success" in page.text, page.text


def _fill_in(browser: requests.Session, page: requests.Response, known: Mapping[str, str]) -> requests.Response:
    action = re.search(r'<form[^>]*action="([^"]*)"', page.text)
    assert action is not None, page.text
    inputs = [dict(re.findall(r'(\w+)="([^"]*)"', one)) for one in re.findall(r"<input([^>]*)>", page.text)]
    sent = {one["name"]: known.get(one["name"], html.unescape(one.get("value", ""))) for one in inputs if "name" in one}
    return browser.post(urljoin(page.url, html.unescape(action[1])), data=sent, timeout=10)


def _installed() -> Path:
    """Where the provider's packages are; made once."""
    directory = cache() / f"oidc-provider-{VERSION}"
    npm = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", directory, f"oidc-provider@{VERSION}"]
    with one_at_a_time(cache() / "oidc-provider.lock"):
        if not (directory / "node_modules" / "oidc-provider").exists():
            directory.mkdir(exist_ok=True)
            subprocess.run(npm, check=True, cwd=directory)
        if not (copy := directory / PROGRAM.name).exists() or copy.read_bytes() != PROGRAM.read_bytes():
            shutil.copy(PROGRAM, copy)
    return directory
