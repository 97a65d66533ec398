"""What turns an ordinary image of a distribution into a worker's: packages, and the worker's own files as one archive.

Cloud-init adds the repositories and installs the packages. The archive is the one that `prominence pool bundle` writes;
it is taken only if its checksum is the declared one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from prominence.core.errors import Unavailable
from prominence.core.settings import Settings
from prominence.imc.ports import File

Family = Literal["debian", "ubuntu", "el"]

_APT = "apptainer ca-certificates condor fuse-overlayfs fuse3 iproute2 nftables procps python3 rclone squashfuse"
_DNF = "apptainer ca-certificates condor fuse-overlayfs fuse3 iproute nftables procps-ng python3 rclone squashfuse"
PACKAGES: dict[Family, tuple[str, ...]] = {
    "debian": tuple(_APT.split()),
    "ubuntu": tuple(_APT.split()),
    "el": tuple(_DNF.split()),
}
"""What a worker needs, as each family calls it."""

_FETCH = "/var/lib/prominence/fetch-bundle"
_FETCH_TEXT = """import hashlib, io, sys, tarfile, urllib.request
url, digest = sys.argv[1:]
with urllib.request.urlopen(url, timeout=300) as answer:
    packed = answer.read()
if hashlib.sha256(packed).hexdigest() != digest:
    sys.exit(f"{url} is not what was declared")
with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
    archive.extractall("/")
"""


class RepositorySettings(Settings):
    """Where packages come from that the distribution does not have. Signed ones only."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,62}$", description="Its name on the worker.")
    source: str = Field(
        pattern=r"^[^\r\n]+$",
        description="For apt a line as in sources.list, with [signed-by=$KEY_FILE]; for dnf the base address.",
    )
    key_file: Path = Field(description="File on imc's host with the key that signs it, in ASCII armour.")


class InstallSettings(Settings):
    """How to make a worker of an image that is none yet."""

    family: Family = Field(description="The image's distribution: Debian's, Ubuntu's or Red Hat's (el) kind.")
    packages: tuple[str, ...] = Field(
        default=(), description="What to install in place of what a worker of this family usually needs."
    )
    repositories: tuple[RepositorySettings, ...] = Field(
        default=(), description="Where from, beside the distribution's own."
    )
    bundle_url: str = Field(
        pattern=r"^https?://[^\s]+$", description="Address of the archive that prominence pool bundle has written."
    )
    bundle_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Its checksum, as that command tells it.")

    def files(self) -> tuple[File, ...]:
        """What must be on the machine first. Raises Unavailable when a key cannot be read."""
        fetch = File(_FETCH, 0o644, _FETCH_TEXT)
        if self.family != "el":
            return (fetch,)
        return (fetch, *(File(_key(one), 0o644, _read(one.key_file)) for one in self.repositories))

    def modules(self) -> dict[str, Any]:
        """Parts of cloud-init's configuration. Raises Unavailable when a key cannot be read."""
        packages = {"package_update": True, "packages": list(self.packages or PACKAGES[self.family])}
        if not self.repositories:
            return packages
        if self.family == "el":
            return {**packages, "yum_repos": {one.name: _yum(one) for one in self.repositories}}
        sources = {one.name: {"source": one.source, "key": _read(one.key_file)} for one in self.repositories}
        return {**packages, "apt": {"sources": sources}}

    def commands(self, kept: str) -> Sequence[Sequence[str]]:
        """To be run when the packages are there. kept: the file of HTCondor's configuration that is ours already."""
        folder, _, name = kept.rpartition("/")
        return (
            # The packages' own configuration is that of a pool of one machine, or of none.
            ["find", folder, "-type", "f", "!", "-name", name, "-delete"],
            ["python3", _FETCH, self.bundle_url, self.bundle_sha256],
            ["/opt/prominence/bin/install-worker"],
        )


def _yum(repository: RepositorySettings) -> dict[str, Any]:
    key = f"file://{_key(repository)}"
    return {"name": repository.name, "baseurl": repository.source, "enabled": True, "gpgcheck": True, "gpgkey": key}


def _key(repository: RepositorySettings) -> str:
    return f"/etc/pki/rpm-gpg/RPM-GPG-KEY-{repository.name}"


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"{file} cannot be read: {error}") from error
