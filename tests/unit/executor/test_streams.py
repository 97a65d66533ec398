from __future__ import annotations

import io
import os
import struct
import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.broker.streams import KEPT, STDERR, STDOUT, Forwarded, forward, frames


def framed(*pieces: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack(">BxxxL", stream, len(data)) + data for stream, data in pieces)


def never() -> bool:
    return False


@given(st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=200_000)), max_size=4))
def test_what_was_written_is_what_is_read(pieces: list[tuple[int, bytes]]) -> None:
    read = list(frames(io.BytesIO(framed(*pieces))))
    for stream in (STDOUT, STDERR):
        assert b"".join(data for one, data in read if one == stream) == b"".join(
            data for one, data in pieces if one == stream
        )


@given(st.binary(max_size=100))
def test_output_that_breaks_off_is_read_as_far_as_it_goes(text: bytes) -> None:
    assert sum(len(data) for _, data in frames(io.BytesIO(text))) <= len(text)


def test_each_stream_goes_to_its_descriptor_and_the_end_of_stderr_is_kept(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as out, open(tmp_path / "err", "wb") as err:
        data = framed((STDOUT, b"o1"), (STDERR, b"x" * 2000), (STDOUT, b"o2"), (STDERR, b"last"))
        forwarded = forward(io.BytesIO(data), {STDOUT: out.fileno(), STDERR: err.fileno()}, never)
    assert (tmp_path / "out").read_bytes() == b"o1o2"
    assert (tmp_path / "err").read_bytes() == b"x" * 2000 + b"last"
    assert forwarded == Forwarded("x" * (KEPT - 4) + "last", cut=False)


def test_a_slow_reader_loses_nothing() -> None:
    reading, writing = os.pipe()
    received: list[bytes] = []

    def drain() -> None:
        while data := os.read(reading, 1000):
            received.append(data)

    thread = threading.Thread(target=drain)
    thread.start()
    sent = bytes(range(256)) * 2000
    forward(io.BytesIO(framed((STDOUT, sent))), {STDOUT: writing}, never)
    os.close(writing)
    thread.join()
    os.close(reading)
    assert b"".join(received) == sent


def test_a_reader_that_has_gone_is_done_without() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    data = framed((STDOUT, b"x" * 100_000), (STDERR, b"last"))
    assert forward(io.BytesIO(data), {STDOUT: writing}, never) == Forwarded("last", cut=False)
    os.close(writing)


def test_a_reader_that_takes_nothing_does_not_hold_us_once_nobody_waits() -> None:
    reading, writing = os.pipe()
    data = framed((STDOUT, b"x" * 1_000_000), (STDERR, b"last"))
    assert forward(io.BytesIO(data), {STDOUT: writing}, lambda: True) == Forwarded("last", cut=False)
    os.close(writing)
    os.close(reading)


def test_what_a_full_disk_does_not_take_is_told() -> None:
    with open("/dev/full", "wb") as full:
        data = framed((STDOUT, b"lost"), (STDOUT, b"too"), (STDERR, b"last"))
        assert forward(io.BytesIO(data), {STDOUT: full.fileno()}, never) == Forwarded("last", cut=True)
