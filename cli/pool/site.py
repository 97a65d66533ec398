"""Third-party Python packages for the images: fetched by pip on the host, so that no build needs an index.

Kept in the user's cache, in one directory per set of requirements.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import requires
from importlib.resources import files
from pathlib import Path

from packaging.requirements import Requirement

from prominence.cli.pool.errors import PoolError

PYTHON = "3.13"
"""Of the images' Debian."""

GLIBC = {"3.11": (2, 36), "3.12": (2, 39), PYTHON: (2, 41)}
"""By Python: of Debian 12, Ubuntu 24.04 and the images' Debian 13. Wheels made for this or anything older will do."""


def ensure_site(extras: tuple[str, ...], python: str = PYTHON) -> tuple[str, Path]:
    """Digest and directory of what these extras of our package need with this Python. Raises PoolError."""
    constraints = Path(str(files("prominence.images"))) / "constraints.txt"
    wanted = requirements(extras, python)
    text = "\n".join([python, platform.machine(), *wanted, constraints.read_text()])
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    site = cache() / f"site-{digest}"
    if not site.exists():
        temporary = Path(tempfile.mkdtemp(prefix="site-", dir=cache()))
        try:
            _install(temporary / "site", wanted, constraints, python)
            (temporary / "site").rename(site)
        except OSError:
            if not site.exists():  # else the `up` of another pool was faster, and its is as good
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return digest, site


def cache() -> Path:
    """The user's, for what is made once and may be made again; it is there afterwards. Raises OSError."""
    directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prominence"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def requirements(extras: tuple[str, ...], python: str = PYTHON) -> list[str]:
    """What these extras need with this Python, as pip's requirement strings, sorted."""
    chosen = set()
    for line in requires("prominence-htc") or []:
        requirement = Requirement(line)
        marker, requirement.marker = requirement.marker, None
        environment = {"python_version": python, "python_full_version": f"{python}.0"}
        if marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in extras):
            chosen.add(str(requirement))
    return sorted(chosen)


def _install(target: Path, wanted: list[str], constraints: Path, python: str) -> None:
    machine, (major, newest) = platform.machine(), GLIBC[python]
    platforms = [f"manylinux_{major}_{minor}_{machine}" for minor in range(newest, 16, -1)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(target)]
    command += ["--implementation", "cp", "--python-version", python, "--only-binary", ":all:"]
    for name in (*platforms, f"manylinux2014_{machine}"):
        command += ["--platform", name]
    command += ["--constraint", str(constraints), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PoolError(f"pip could not fetch the Python packages for the images:\n{done.stderr.strip()}")
