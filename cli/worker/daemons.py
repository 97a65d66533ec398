"""HTCondor's daemons, where a user has them: a package of the system, or its tarball in a directory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prominence.cli.errors import ClientError

_HOW_TO = (
    "No root is needed to have them: `curl -fsSL https://get.htcondor.org | /bin/bash -s -- --download` fetches a "
    "tarball; unpack it and name its directory with --condor."
)
_USUAL = ("/usr/sbin", "/usr/local/sbin")
_LIBEXEC = ("libexec/condor", "lib/condor/libexec", "libexec")
_LIB = ("lib/condor", "lib64/condor", "lib")
_NEEDED = (("sbin", "condor_master"), ("sbin", "condor_startd"), ("sbin", "condor_starter"), ("bin", "condor_ping"))


@dataclass(frozen=True)
class Daemons:
    """release: the directory that has all the others."""

    release: Path
    libexec: Path
    lib: Path

    @property
    def bin(self) -> Path:
        """Where the tools are."""
        return self.release / "bin"

    @property
    def sbin(self) -> Path:
        """Where the daemons are."""
        return self.release / "sbin"

    def environment(self, outer: Mapping[str, str], configuration: Path) -> dict[str, str]:
        """That of HTCondor's programs, with this configuration and nobody else's."""
        own = {name: value for name, value in outer.items() if not name.upper().startswith("_CONDOR_")}
        path = os.pathsep.join((str(self.bin), str(self.sbin), outer.get("PATH") or os.defpath))
        return {**own, "PATH": path, "CONDOR_CONFIG": str(configuration)}


def find(given: Path | None, environment: Mapping[str, str]) -> Daemons:
    """given: the directory that the user names. Raises ClientError that says how to get them."""
    release = _release(environment) if given is None else _tarball(given)
    for directory, program in _NEEDED:
        if not os.access(release / directory / program, os.X_OK):
            raise ClientError(f"{release} has no {directory}/{program}: this is not all of HTCondor. {_HOW_TO}")
    libexec = next((release / one for one in _LIBEXEC if (release / one / "condor_shared_port").exists()), None)
    if libexec is None:
        raise ClientError(f"{release} has no condor_shared_port: this is not all of HTCondor. {_HOW_TO}")
    lib = next((release / one for one in _LIB if (release / one).is_dir()), release / "lib")
    return Daemons(release, libexec, lib)


def _release(environment: Mapping[str, str]) -> Path:
    path = os.pathsep.join((environment.get("PATH") or os.defpath, *_USUAL))
    master = shutil.which("condor_master", path=path)
    if master is None:
        raise ClientError(f"A worker needs HTCondor's daemons, and there is no condor_master here. {_HOW_TO}")
    return Path(os.path.abspath(master)).parent.parent


def _tarball(given: Path) -> Path:
    """The directory itself, or its only one: a tarball unpacks into a directory of its own."""
    given = Path(os.path.abspath(given))
    if not given.is_dir():
        raise ClientError(f"{given} is no directory. {_HOW_TO}")
    inside = [one.parent.parent for one in (*given.glob("sbin/condor_master"), *given.glob("*/sbin/condor_master"))]
    return inside[0] if inside else given
