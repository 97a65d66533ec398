"""Whose files are: by name where both machines know it, since the same account may have another number there."""

from __future__ import annotations

import grp
import pwd
from contextlib import suppress
from functools import cache


@cache
def names(uid: int, gid: int) -> tuple[str, str]:
    """Of a user and a group on this machine; "" for those that have none."""
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = ""
    try:
        group = grp.getgrgid(gid).gr_name
    except KeyError:
        group = ""
    return user, group


@cache
def numbers(user: str, group: str, uid: int, gid: int) -> tuple[int, int]:
    """The numbers that these names have here, else those that were given."""
    with suppress(KeyError):
        uid = pwd.getpwnam(user).pw_uid
    with suppress(KeyError):
        gid = grp.getgrnam(group).gr_gid
    return uid, gid
