"""The REST API of an Infrastructure Manager (IM): what is asked of it, and what it refuses in our errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import requests

from prominence.core.errors import CredentialsRefused, NotFound, Unavailable
from prominence.imc.adapters.cloud_errors import IM, of_answer
from prominence.imc.declared import ManagedSettings


@contextmanager
def asking(name: str, declared: ManagedSettings) -> Iterator[Manager]:
    """The manager of the cloud of this name, with the credentials that are in the file now."""
    with requests.Session() as session:
        session.auth = _Lines(authorization(declared))
        try:
            yield Manager(name, declared, session)
        except NotFound as error:
            raise Unavailable(f"{error}: is url that of its REST API?") from error
        except (LookupError, TypeError, AttributeError) as error:
            raise Unavailable(f"{name} sends what cannot be understood: {error!r}") from error


class Manager:
    """IM's REST API; what it refuses is in our errors."""

    def __init__(self, name: str, declared: ManagedSettings, session: requests.Session) -> None:
        self._name = name
        self._declared = declared
        self._session = session

    def ask(self, method: str, path: str, json: Any = None, wait_s: float = 0.0) -> Any:
        """The answer's document. wait_s: how much longer than usual it may take. Raises NotFound, too."""
        try:
            answer = self._session.request(
                method,
                self._declared.url.rstrip("/") + quote(path),
                json=json,
                headers={"Accept": "application/json"},
                timeout=(self._declared.timeout_s, self._declared.timeout_s + wait_s),
                allow_redirects=False,  # the credentials are for this address
            )
            if answer.ok and not answer.is_redirect:
                return answer.json() if answer.content else {}
        except (requests.RequestException, OSError) as error:
            raise Unavailable(f"{self._name} does not answer: {type(error).__name__}") from error
        if answer.status_code == 404:
            raise NotFound(f"{self._name} has no {path}")
        raise of_answer(IM, _message(answer), answer.status_code)


class _Lines(requests.auth.AuthBase):
    """Of requests' own ways none fits, and without one it would take the user's netrc."""

    def __init__(self, header: str) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def authorization(declared: ManagedSettings) -> str:
    """IM's header, of the lines in the file. Raises CredentialsRefused, which names the file and no content."""
    file = declared.credentials_file
    try:
        lines = [line.strip() for line in file.read_text("ascii").splitlines()]
    except OSError as error:
        raise CredentialsRefused(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise CredentialsRefused(f"{file} has characters other than ASCII") from None  # its text is a secret
    said = [line for line in lines if line and not line.startswith("#")]
    if not any("type=InfrastructureManager" in line.replace(" ", "") for line in said):
        raise CredentialsRefused(f"{file} has no line with type = InfrastructureManager")
    header = r"\n".join(said)
    if not header.isprintable():
        raise CredentialsRefused(f"{file} has characters that are none of a text")
    return header


def _message(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, LookupError, TypeError):
        return answer.text or str(answer.reason)
