"""Which service to speak to, and with which token. The first of these that exists decides:

1. PROMINENCE_URL in the environment, with PROMINENCE_TOKEN or else the login in ~/.prominence;
2. the file that PROMINENCE_ENV names;
3. `.pool/env` in the current directory or a parent, up to the root of the repository or the home directory;
4. `$XDG_STATE_HOME/prominence/default/env`, which the personal pool writes;
5. the login in ~/.prominence, if it says for which service it is.

Address and token always come from the same place, and a login says for which address it is: a token from one place
must not be sent to an address from another. For the same reason a `.pool/env` that somebody else may have written is
passed over.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from prominence.cli.errors import NotConfigured
from prominence.cli.saved_login import API, SavedLogin, can_be_sent
from prominence.cli.transport import Token

URL = "PROMINENCE_URL"
TOKEN = "PROMINENCE_TOKEN"
FILE = "PROMINENCE_ENV"

_HOW_TO = f"Set {URL} and {TOKEN}, log in with `prominence login`, or start a personal pool with `prominence pool up`."


@dataclass(frozen=True)
class Service:
    """An API and the token to show it. source: where both were found, for people."""

    url: str
    token: Token = field(repr=False)
    source: str


def find(
    environment: Mapping[str, str],
    directory: Path,
    home: Path,
    user_id: int,
    warn: Callable[[str], object],
    login: SavedLogin,
) -> Service:
    """The service to use from `directory`. `warn` is told of files that are passed over. Raises NotConfigured."""
    url = environment.get(URL)
    if url and not environment.get(TOKEN):
        return _logged_in(url, "the environment", login) or _service(environment, "the environment")
    if url or environment.get(TOKEN):
        return _service(environment, "the environment")
    named = environment.get(FILE)
    if named:
        return _service(parse(_read(Path(named))), named)
    for path in _pool_files(directory, home):
        distrust = _distrust(path, user_id)
        if distrust:
            warn(f"{path} is not used: {distrust}.")
        else:
            return _service(parse(_read(path)), str(path))
    default = state_home(environment, home) / "prominence" / "default" / "env"
    if os.path.isfile(default):
        return _service(parse(_read(default)), str(default))
    return _logged_in(None, str(login.files.token), login) or _nothing()


def _nothing() -> NoReturn:
    raise NotConfigured(f"No PROMINENCE service is known here. {_HOW_TO}")


def _logged_in(url: str | None, source: str, login: SavedLogin) -> Service | None:
    """The service of this address, or the one that the login says it is for; None: there is no login for one."""
    saved = login.files.read_token()
    said = None if saved is None else saved.get(API)
    address = url or said
    if saved is None or not isinstance(address, str):
        return None
    if isinstance(said, str) and said.rstrip("/") != address.rstrip("/"):
        raise NotConfigured(f"You are logged in to {said}, not to {address}: `prominence login` changes that.")
    _check_address(address, source)
    return Service(address.rstrip("/"), login, source)


def parse(text: str) -> dict[str, str]:
    """Lines of NAME=VALUE, as a shell would read them: `export` and quotes around a value may be there."""
    values = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            value = value.strip()
            if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            values[name.strip()] = value
    return values


def _service(values: Mapping[str, str], source: str) -> Service:
    for name in (URL, TOKEN):
        if not values.get(name):
            raise NotConfigured(f"{name} is missing in {source}. {_HOW_TO}")
    url, token = values[URL].rstrip("/"), values[TOKEN]
    _check_address(url, source)
    if not can_be_sent(token):
        raise NotConfigured(f"{TOKEN} in {source} holds characters that no token has.")
    return Service(url, token, source)


def _check_address(url: str, source: str) -> None:
    if not _is_web_address(url):
        raise NotConfigured(f"{URL} in {source} is not a web address, such as https://host/prominence/v1.")


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # a port that is no number, an address in brackets that is none
        return False
    plain = url.isprintable() and not {" ", "@", "?", "#"} & set(url)
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise NotConfigured(f"{path} cannot be read: {why}.") from error


def _pool_files(directory: Path, home: Path) -> Iterator[Path]:
    """The `.pool/env` files that count from here. Without a repository or home around us parents do not count."""
    candidates = [directory, *directory.parents]
    top = next((i for i, path in enumerate(candidates) if path == home or os.path.exists(path / ".git")), 0)
    for path in candidates[: top + 1]:
        file = path / ".pool" / "env"
        if os.path.isfile(file):  # also False where we may not look
            yield file


def _distrust(path: Path, user_id: int) -> str:
    """Why somebody else could have written the file; "" if nobody could."""
    file = path.stat()
    if file.st_uid != user_id:
        return "it belongs to another user"
    if stat.S_IMODE(file.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to it"
    return ""


def state_home(environment: Mapping[str, str], home: Path) -> Path:
    """Where the user's programs keep what is not to be lost, as XDG has it."""
    named = environment.get("XDG_STATE_HOME", "")
    return Path(named) if os.path.isabs(named) else home / ".local" / "state"
