"""Text that is still being written."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prominence.restapi.text import byte_of, unfinished


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (b"", 0),
        (b"abc", 0),
        ("é".encode(), 0),
        ("é".encode()[:1], 1),
        ("☃".encode()[:2], 2),
        ("😀".encode()[:3], 3),
        ("😀".encode(), 0),
        (b"a\x80\x80\x80\x80", 0),
        (b"\xff", 0),
        (b"\xc0", 0),
    ],
)
def test_only_the_beginning_of_a_character_is_unfinished(tail: bytes, expected: int) -> None:
    assert unfinished(tail) == expected


@given(st.text(), st.integers(0, 400))
def test_what_is_cut_anywhere_and_trimmed_is_whole(text: str, cut: int) -> None:
    piece = text.encode()[:cut]
    whole = piece[: len(piece) - unfinished(piece)]
    assert text.startswith(whole.decode())


@given(st.binary())
def test_never_more_than_three_bytes_are_left_for_later(data: bytes) -> None:
    assert 0 <= unfinished(data) <= min(3, len(data))


texts = st.lists(st.one_of(st.sampled_from(["a", "ä", "☃", "𝄞"]).map(str.encode), st.binary(max_size=3))).map(b"".join)


@example(b"aa\x00\x00\xc2", 5)
@given(texts, st.integers(0, 30))
def test_a_character_is_found_where_who_has_read_the_text_expects_it(content: bytes, number: int) -> None:
    at = byte_of(io.BytesIO(content), number)
    characters = content.decode(errors="replace")
    if number > len(characters):
        assert at == len(content) + 1
    elif content == characters.encode():
        assert content[at:].decode() == characters[number:]
    else:
        assert 0 <= at <= len(content)


def test_a_long_text_is_counted_in_pieces() -> None:
    content = ("x" * 300_000 + "ä" * 300_000).encode()
    assert byte_of(io.BytesIO(content), 300_000) == 300_000
    assert byte_of(io.BytesIO(content), 450_000) == 600_000
