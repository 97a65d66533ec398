"""A machine that gets its token by the program of its image, on a disk that is a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

from builders_imc import a_bootstrap

from prominence.core.bootstrap import Invitation
from prominence.imc import userdata
from prominence.imc.ports import Layout

PROGRAM = Path(__file__).parents[1] / "images" / "worker" / "bin" / "join-pool"


def _never(seconds: float) -> None:
    raise AssertionError(f"it waits for {seconds} s")


class JoiningWorker:
    """program: as a module, whose files are in `folder`."""

    def __init__(self, folder: Path, invitation: Invitation) -> None:
        folder.mkdir(exist_ok=True)
        spec = spec_from_loader("join_pool", SourceFileLoader("join_pool", str(PROGRAM)))
        assert spec and spec.loader
        program: Any = module_from_spec(spec)
        spec.loader.exec_module(program)
        self.program = program
        self.invitation, self.key, self.token = (folder / name for name in ("invitation.json", "worker.key", "pool"))
        program.INVITATION, program.KEY, program.TOKEN = self.invitation, self.key, self.token
        bootstrap = a_bootstrap(token=None, invitation=invitation)
        files = {file.path: file for file in userdata.files(bootstrap, Layout("/e", "/t"))}
        self.invitation.write_text(files[userdata.INVITATION].text)

    def told(self) -> dict[str, str]:
        """What it still knows of its invitation."""
        return dict(json.loads(self.invitation.read_text()))

    def join(self, pause: Callable[[float], None] = _never) -> float:
        """What its program does before it goes on behind."""
        lifetime_s: float = self.program.joined(self.told(), self.program.own_key(), pause=pause)
        return lifetime_s
