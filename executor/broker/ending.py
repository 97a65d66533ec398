"""Ends all that runs as an account, which may have been taken over, and tells whether nothing of it is left.

The program that does so has the account's rights to send signals, so that one call reaches all of it at once, however
fast it makes processes. It is not the account's, which could else end or stop it first: no account may signal what has
another one as its real user, and root as its saved one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

_END_ALL = """
import os, signal, sys
ender, account = map(int, sys.argv[1:])
os.setresuid(ender, account, 0)
os.kill(-1, signal.SIGKILL)
"""
_PATIENCE_S = 10.0
_LOOK_S = 0.02
_one_at_a_time = threading.Lock()  # they could signal each other


def end_all_of(account: int, ender: int) -> bool:
    """Every process of the account, those that have left their session included; whether all are gone.

    ender: the number of an account that nothing runs as.
    """
    command = [sys.executable, "-I", "-S", "-c", _END_ALL, str(ender), str(account)]
    with _one_at_a_time, suppress(subprocess.TimeoutExpired):
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False, timeout=_PATIENCE_S)
    give_up_at = time.monotonic() + _PATIENCE_S
    while anything_of(account):
        if time.monotonic() > give_up_at:
            return False
        time.sleep(_LOOK_S)
    return True


def anything_of(account: int) -> bool:
    """Whether a process of the account is there."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):  # it has ended just now
            if runs_as(Path(f"/proc/{name}/status").read_text(errors="replace"), account):
                return True
    return False


def runs_as(status: str, account: int) -> bool:
    """Whether a process with this status, as the kernel tells it, has the account among its users, and has not ended.

    What is called a zombie may have threads that run on.
    """
    told = dict(re.findall(r"^(State|Uid|Threads):\t(.*)$", status, re.MULTILINE))
    ended = told["State"].startswith(("Z", "X")) and int(told["Threads"]) <= 1
    return not ended and str(account) in told["Uid"].split()
