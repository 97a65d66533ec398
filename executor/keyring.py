"""The kernel's keyring of a session, which programs inherit: a job's must not be the one of all jobs of its worker."""

from __future__ import annotations

import ctypes
import os

_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280}
"""The number of the system call: no library that every worker has knows it by name."""
_JOIN_SESSION_KEYRING = 1


def have_our_own() -> None:
    """A new one, empty, for this process and all that it starts. A kernel that has none shares nothing either."""
    number = _KEYCTL.get(os.uname().machine)
    if number is not None:
        ctypes.CDLL(None).syscall(number, _JOIN_SESSION_KEYRING, None)
