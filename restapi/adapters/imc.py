"""WorkerTokens over imc's HTTP API: imc alone can mint what HTCondor accepts."""

from __future__ import annotations

import requests
from pydantic import SecretStr

from prominence.core.errors import Unavailable
from prominence.restapi.ports import MachineToken

_TIMEOUT_S = 15
"""Of the connection, and of each silence of the answer: longer than imc gives HTCondor's own tools."""

_REFUSED = "Tokens for workers cannot be made at the moment."


class ImcWorkerTokens:
    """url: where imc listens. token: of the API, which is good for this and nothing else there."""

    def __init__(self, url: str, token: SecretStr) -> None:
        self._url = url.rstrip("/")
        self._token = token

    def mint(self, owner: str) -> MachineToken:
        answer = self._call("POST", owner)
        try:
            found = answer.json()
            return MachineToken(
                str(found["token"]),
                int(found["lifetime_s"]),
                str(found.get("collector", "")),
                str(found.get("trust_domain", "")),
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unavailable(_REFUSED) from error

    def revoke(self, owner: str) -> None:
        self._call("DELETE", owner)

    def _call(self, method: str, owner: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        try:
            with requests.Session() as session:
                # imc is inside the pool: a proxy for the outside world and its netrc have no business here.
                session.trust_env = False
                answer = session.request(
                    method, f"{self._url}/v1/owners/{owner}/tokens", headers=headers, timeout=_TIMEOUT_S
                )
        except requests.RequestException as error:
            raise Unavailable(_REFUSED) from error
        if not answer.ok:
            raise Unavailable(_REFUSED) from RuntimeError(f"imc answers {answer.status_code}: {answer.text[:200]}")
        return answer
