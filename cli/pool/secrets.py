"""Keys of a pool and the tokens made from them. Nothing here leaves the machine or appears on a command line."""

from __future__ import annotations

import getpass
import json
import os
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import jwt

from prominence.cli.pool.layout import API_PATH, Pool

SIGNING_KEY = Path("keys") / "POOL"
API_KEY = Path("api.key")
IMC_TOKEN = Path("imc.token")
OWNERS_TOKEN = Path("owners.token")
PROXIES = Path("proxies.json")

TOKEN_LIFETIME = timedelta(days=30)
ISSUER = "prominence-local"
AUDIENCE = "prominence"


def ensure_secrets(pool: Pool) -> None:
    """Make the keys that are not there yet; those that are there are kept."""
    for folder in (pool.secrets, (pool.secrets / SIGNING_KEY).parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (SIGNING_KEY, API_KEY, IMC_TOKEN, OWNERS_TOKEN):
        path = pool.secrets / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(48))


def write_proxies(pool: Pool, proxies: Mapping[str, str]) -> None:
    """The proxies that workers fetch images through, for imc; their addresses may hold a password."""
    write_private(pool.secrets / PROXIES, json.dumps(dict(proxies)))


def local_user() -> str:
    """Who calls: the account's name, or its number where it has none, as in a container with any uid."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the one up to Python 3.12, the other since
        return f"uid-{os.getuid()}"


def user_token(pool: Pool, user: str, now: datetime) -> str:
    """A token for the local user: a JWT that the API of this pool accepts for 30 days."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user,
        "groups": [],
        "iat": int(now.timestamp()),
        "exp": int((now + TOKEN_LIFETIME).timestamp()),
    }
    return jwt.encode(claims, (pool.secrets / API_KEY).read_text(), algorithm="HS256")


def write_environment(pool: Pool, port: int, token: str) -> None:
    """The file that tells any client where the API is and who its user is."""
    url = f"http://127.0.0.1:{port}{API_PATH}"
    write_private(pool.environment_file, f"PROMINENCE_URL={url}\nPROMINENCE_TOKEN={token}\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.rename(path)
