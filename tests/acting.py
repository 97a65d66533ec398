"""Acting as another user for a while, in one thread alone."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_SETRESUID, _SETRESGID = {"x86_64": (117, 119), "aarch64": (147, 149)}[platform.machine()]
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def acting_as(uid: int, gid: int) -> Iterator[None]:
    """With this effective user and group.

    The kernel's own calls change the calling thread. os.seteuid changes all of them, and so another one would be
    refused whatever it does in the meantime.
    """
    _set(_SETRESGID, gid)
    _set(_SETRESUID, uid)
    try:
        yield
    finally:
        _set(_SETRESUID, 0)
        _set(_SETRESGID, 0)


def _set(call: int, effective: int) -> None:
    unchanged = ctypes.c_long(-1)
    if _libc.syscall(ctypes.c_long(call), unchanged, ctypes.c_long(effective), unchanged) != 0:
        raise OSError(ctypes.get_errno(), f"cannot act as {effective}: {os.strerror(ctypes.get_errno())}")
