"""What is reckoned of pieces on their way."""

from __future__ import annotations

import hashlib
import io

from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.adapters.hashed import PIECE, Pieces, Sha256, Uncounted


def passed(content: bytes, sizes: list[int], pieces: Pieces) -> bytes:
    """What comes through, in pieces of these sizes and then in whole ones."""
    source, out = io.BytesIO(content), b""
    left = iter(sizes)
    while came := source.readinto((room := pieces.room())[: next(left, PIECE)]):
        out += room[:came]
        pieces.update(room[:came])
    return out


@given(st.integers(0, 12 * PIECE), st.lists(st.integers(1, PIECE), max_size=20))
def test_the_checksum_is_of_all_that_came_whatever_the_pieces_are(size: int, sizes: list[int]) -> None:
    content = bytes(number % 251 for number in range(997)) * (size // 997) + b"end"
    digest = Sha256()
    assert passed(content, sizes, digest) == content
    assert digest.close() == digest.close() == hashlib.sha256(content).hexdigest()


def test_who_wants_no_checksum_gets_the_same() -> None:
    assert passed(b"content", [2, 1], Uncounted()) == b"content"
