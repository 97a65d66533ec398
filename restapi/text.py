"""Text that is still being written, and text that is counted in characters. Pure."""

from __future__ import annotations

import codecs
from typing import BinaryIO

_PIECE = 256 * 1024


def unfinished(tail: bytes) -> int:
    """How many bytes at the end of `tail` are the beginning of a character in UTF-8 whose rest is still to come."""
    for length in range(1, min(3, len(tail)) + 1):
        byte = tail[-length]
        if not 0x80 <= byte < 0xC0:  # the first byte of a character, whatever follows it
            return length if _length(byte) > length else 0
    return 0


def byte_of(file: BinaryIO, characters: int) -> int:
    """Where the character of this number begins in a text in UTF-8; behind its end, if it has fewer.

    Counted as a client does that has read the text from its beginning, what is no character included.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    seen = at = 0
    file.seek(0)
    while seen < characters and (piece := file.read(_PIECE)):
        before = decoder.getstate()
        found = len(piece) if piece.isascii() and not before[0] else len(decoder.decode(piece))
        if seen + found >= characters:
            return at + _prefix(decoder, before, piece, characters - seen)
        seen, at = seen + found, at + len(piece)
    seen += len(decoder.decode(b"", final=True))  # a last character that was cut off
    return at if seen >= characters else at + 1


def _prefix(decoder: codecs.IncrementalDecoder, before: tuple[bytes, int], piece: bytes, characters: int) -> int:
    """The shortest beginning of the piece that brings this many characters, by halves."""
    low, high = 0, len(piece)
    while low < high:
        middle = (low + high) // 2
        decoder.setstate(before)
        if len(decoder.decode(piece[:middle])) < characters:
            low = middle + 1
        else:
            high = middle
    return low


def _length(first: int) -> int:
    """Of the character that begins with this byte; what begins none stands for itself."""
    if 0xC2 <= first <= 0xDF:
        return 2
    if 0xE0 <= first <= 0xEF:
        return 3
    return 4 if 0xF0 <= first <= 0xF4 else 1
