"""Text that is still being written. Pure."""

from __future__ import annotations


def unfinished(tail: bytes) -> int:
    """How many bytes at the end of `tail` are the beginning of a character in UTF-8 whose rest is still to come."""
    for length in range(1, min(3, len(tail)) + 1):
        byte = tail[-length]
        if not 0x80 <= byte < 0xC0:  # the first byte of a character, whatever follows it
            return length if _length(byte) > length else 0
    return 0


def _length(first: int) -> int:
    """Of the character that begins with this byte; what begins none stands for itself."""
    if 0xC2 <= first <= 0xDF:
        return 2
    if 0xE0 <= first <= 0xEF:
        return 3
    return 4 if 0xF0 <= first <= 0xF4 else 1
