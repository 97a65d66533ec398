"""ObjectStore in this process, for unit tests: same promises, faults on request.

Its addresses lead nowhere: `get` and `put` do what a client with the address would.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from prominence.core.errors import NotFound, Rejected, TooLarge, Unavailable
from prominence.restapi.areas import owners_folder
from prominence.restapi.objects import Form, Put, Reach, Stored, Terms, check_together
from prominence.restapi.signing import Act, Permission, permission, query

_SECRET = b"known to nobody"


class MemoryObjects:
    """Set `unavailable` to a sentence and every verb raises Unavailable with it, until it is empty again."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.unavailable = ""
        self._now = now
        self._contents: dict[str, bytes] = {}
        self._stored: dict[str, Stored] = {}

    def url_to_get(self, name: str, lifetime_s: int, reach: Reach) -> str:
        return self._url(Permission("get", name, self._until(lifetime_s)), reach)

    def url_to_put(self, name: str, terms: Terms, reach: Reach) -> Put:
        until = self._until(terms.lifetime_s)
        return Put(self._url(Permission.to_put(name, until, terms), reach))

    def form_to_post(self, name: str, terms: Terms, reach: Reach) -> Form | None:
        return None

    def stat(self, name: str) -> Stored | None:
        self._begin()
        return self._stored.get(name)

    def list(self, folder: str) -> list[Stored]:
        self._begin()
        above = f"{folder}/" if folder else ""
        return [self._stored[name] for name in sorted(self._stored) if name.startswith(above)]

    def delete(self, name: str) -> None:
        self._begin()
        self._contents.pop(name, None)
        self._stored.pop(name, None)

    def get(self, url: str) -> bytes:
        """What the address leads to. Raises Forbidden, NotFound."""
        allowed = self._permission("get", url)
        if allowed.name not in self._contents:
            raise NotFound(f"There is no object {allowed.name}.")
        return self._contents[allowed.name]

    def put(self, url: str, content: bytes) -> None:
        """Send this there. Raises Forbidden, TooLarge, Rejected, QuotaReached."""
        allowed = self._permission("put", url)
        if allowed.largest is not None and len(content) > allowed.largest:
            raise TooLarge("It is larger than there is room for.")
        sha256 = hashlib.sha256(content).hexdigest()
        if allowed.size not in (None, len(content)) or allowed.sha256 not in (None, sha256):
            raise Rejected.because("It is not what was announced.")
        if allowed.together is not None:
            check_together(allowed.name, len(content), allowed.together, self.list(owners_folder(allowed.name)))
        self.store(allowed.name, content)

    def store(self, name: str, content: bytes) -> None:
        """The object is there."""
        self._contents[name] = content
        self._stored[name] = Stored(name, len(content), self._now(), hashlib.sha256(content).hexdigest())

    def _permission(self, act: Act, url: str) -> Permission:
        self._begin()
        parts = urlsplit(url)
        name, given = unquote(parts.path).removeprefix("/"), dict(parse_qsl(parts.query))
        return permission(act, name, given, _SECRET, self._now().timestamp())

    def _url(self, permitted: Permission, reach: Reach) -> str:
        self._begin()
        return f"memory://{reach.value}/{quote(permitted.name)}?{urlencode(query(permitted, _SECRET))}"

    def _until(self, lifetime_s: int) -> int:
        return int(self._now().timestamp()) + lifetime_s

    def _begin(self) -> None:
        if self.unavailable:
            raise Unavailable(self.unavailable)
