"""Asks a registry which digest an image has, so that the worker can be asked for that very image.

Nothing depends on the answer being had: whoever does not get one fetches the image by its name.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Dict, Mapping, NamedTuple, Optional
from urllib.parse import urlencode, urlsplit

TRUST = Path("/etc/containers/registries.conf")
_TIMEOUT_S = 10.0
_LONGEST = 1024 * 1024
_DIGEST = r"sha256:[0-9a-f]{64}"
_HUB = "registry-1.docker.io"
_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_FAILURES = (OSError, ValueError, http.client.HTTPException)


class Name(NamedTuple):
    """What an image is called. repository: with its registry, as it is written. tag: "" beside a digest."""

    repository: str
    registry: str
    path: str
    tag: str
    digest: str


def exact(image: str, proxies: Mapping[str, str], trust: Path = TRUST) -> Optional[str]:
    """The image's name with its digest, as the registry tells it; None where it does not."""
    name = parsed(image)
    digest = name.digest or _asked(name, proxies, trust)
    return f"{name.repository}@{digest}" if digest else None


def parsed(image: str) -> Name:
    """The parts of a name."""
    name, _, digest = (image[len("docker://") :] if image.startswith("docker://") else image).partition("@")
    front, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    repository = f"{front}{slash}{last}"
    host, slash, path = repository.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = "docker.io", repository if slash else f"library/{repository}"
    registry = _HUB if host in ("docker.io", "index.docker.io") else host
    return Name(repository, registry, path, "" if digest else tag or "latest", digest)


def is_insecure(registry: str, text: str) -> bool:
    """Whether an administrator lets this registry be spoken to without TLS, in the text of TRUST."""
    for part in text.split("[[registry]]")[1:]:
        values = dict(re.findall(r'(?m)^\s*(location|insecure)\s*=\s*"?([^"\s#]+)"?', part.partition("\n[")[0]))
        if values.get("location") == registry:
            return values.get("insecure") == "true"
    return False


def through(registry: str, proxies: Mapping[str, str]) -> Dict[str, str]:
    """The proxies, by scheme, through which this registry is asked."""
    told = {name[: -len("_proxy")]: value for name, value in proxies.items() if name.endswith("_proxy")}
    return {} if urllib.request.proxy_bypass_environment(registry, told) else told  # type: ignore[attr-defined]


def _asked(name: Name, proxies: Mapping[str, str], trust: Path) -> str:
    insecure = trust.exists() and is_insecure(name.registry, trust.read_text(errors="replace"))
    url = f"{'http' if insecure else 'https'}://{name.registry}/v2/{name.path}/manifests/{name.tag}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(through(name.registry, proxies)))
    try:
        try:
            digest = _head(opener, url, "")
        except urllib.error.HTTPError as error:
            token = _token(opener, error.headers.get("WWW-Authenticate", "")) if error.code == 401 else ""
            if not token:
                return ""
            digest = _head(opener, url, token)
    except _FAILURES:
        return ""
    return digest if re.fullmatch(_DIGEST, digest) else ""


def _head(opener: urllib.request.OpenerDirector, url: str, token: str) -> str:
    headers = {"Accept": ", ".join(_KINDS), **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, headers=headers, method="HEAD")
    with opener.open(request, timeout=_TIMEOUT_S) as answer:
        return str(answer.headers.get("Docker-Content-Digest", ""))


def _token(opener: urllib.request.OpenerDirector, challenge: str) -> str:
    """What the registry's own issuer gives to everybody; "" for nothing."""
    scheme, _, rest = challenge.partition(" ")
    told = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    realm = told.pop("realm", "")
    if scheme.lower() != "bearer" or urlsplit(realm).scheme not in ("http", "https"):
        return ""
    wanted = {name: told[name] for name in ("service", "scope") if name in told}
    with opener.open(f"{realm}?{urlencode(wanted)}", timeout=_TIMEOUT_S) as answer:
        given = json.loads(answer.read(_LONGEST))
    token = given.get("token") or given.get("access_token") if isinstance(given, dict) else ""
    return token if isinstance(token, str) and token.isascii() and token.isprintable() else ""
