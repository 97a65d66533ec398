"""The names by which a Docker engine knows what it has pulled for jobs, beside the images' own.

    localhost/prominence-pulled/HASH-OF-THE-NAME:POOL.SECONDS

Standard library only and Python 3.9: the broker carries this module.
"""

from __future__ import annotations

import hashlib

PULLED = "prominence-pulled"
_MARKS = f"localhost/{PULLED}"


def mark(image: str, pool: str, used_at: float) -> str:
    """Of an image of this name, pulled for a pool and used last at that time."""
    return f"{_MARKS}/{hash_of_name(image)}:{pool}.{int(used_at)}"


def pattern(pool: str, image: str = "") -> str:
    """What matches the marks of a pool, or of one image of it; those of a pool whose name goes on differently, too."""
    return f"{_MARKS}/{hash_of_name(image) if image else '*'}:{pool}.*"


def pool_of(name: str) -> str:
    """The pool whose mark it is; "" for any other name."""
    front, _, tag = name.rpartition(":")
    return tag.rpartition(".")[0] if front.startswith(f"{_MARKS}/") else ""


def used_at(mark: str) -> int:
    """When the image was used last."""
    told = mark.rpartition(".")[2]
    return int(told) if told.isdecimal() else 0


def hash_of(mark: str) -> str:
    """The hash in a mark, which tells by which name the image was pulled."""
    return mark.rpartition("/")[2].partition(":")[0]


def hash_of_name(image: str) -> str:
    """The hash of a name."""
    return hashlib.sha256(image.encode()).hexdigest()[:32]
