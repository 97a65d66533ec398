"""imc's process for tests, on a pool that the server of the pretended cloud tells of instead of HTCondor."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import requests
from pydantic import SecretStr

from prominence.core.errors import Unavailable
from prominence.imc import main
from prominence.imc.condor_text import Outsider, Revocation
from prominence.imc.ports import Admission, ExecutePoint, Pool

_TIMEOUT_S = 5

_CONTEXT = multiprocessing.get_context("forkserver")
# What takes most of a program's start is done once: its modules are read.
_CONTEXT.set_forkserver_preload(["__main__", "imc_process", "prominence.imc.adapters.libcloud"])


class ServedPool:
    """Promise: see ports.Pool."""

    def __init__(self, url: str) -> None:
        self._url = url

    def execute_points(self) -> Mapping[str, ExecutePoint]:
        found = self._call("GET", "").json()
        return {name: ExecutePoint(claimed_slots=0, draining=draining) for name, draining in found.items()}

    def drain(self, name: str, reason: str) -> None:
        self._call("POST", f"/{name}/drain")

    def undrain(self, name: str) -> None:
        self._call("POST", f"/{name}/undrain")

    def invalidate(self, name: str) -> None:
        self._call("POST", f"/{name}/invalidate")

    def mint(self, name: str) -> SecretStr:
        return SecretStr(f"token-of-{name}")

    def revoke(self, name: str, now: datetime) -> None:
        """Nobody has shown it."""

    def revocations(self) -> Sequence[Revocation]:
        return ()

    def refuse(self, entries: Sequence[Revocation]) -> None:
        """Nobody comes."""

    def outsiders(self) -> Sequence[Outsider]:
        return ()

    def keep_out(self, entries: Sequence[Outsider]) -> None:
        """Nobody comes."""

    def mint_for_owner(self, owner: str) -> Admission:
        raise NotImplementedError

    def revoke_of_owner(self, owner: str, now: datetime) -> None:
        raise NotImplementedError

    def _call(self, method: str, path: str) -> requests.Response:
        try:
            answer = requests.request(method, f"{self._url}/_pool{path}", timeout=_TIMEOUT_S)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise Unavailable(f"the pool does not answer: {type(error).__name__}") from error
        return answer


def begun(config: Path, server: str, lease_s: int, output: Path) -> ForkServerProcess:
    """It runs. lease_s: may be shorter than in earnest."""
    process = _CONTEXT.Process(target=_run, args=(str(config), server, lease_s, str(output)), daemon=True)
    process.start()
    return process


def _run(config: str, server: str, lease_s: int, output: str) -> None:
    with open(output, "wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    load: Any = main.load

    def loaded(*arguments: Any) -> Any:
        return load(*arguments).model_copy(update={"lease_s": lease_s})

    main.load = loaded  # type: ignore[assignment]
    pool: Pool = ServedPool(server)
    main.HTCondorPool = lambda _: pool  # type: ignore[assignment,misc]
    sys.exit(main.main(["--config", config]))
