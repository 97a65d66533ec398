"""Fetches a file from the web, as an account that has nothing else: the program that `builder` starts for that."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import List

from prominence.executor.ports import Stop
from prominence.executor.transfer import Address, TransferFailed

OPTION = "--fetch"
FILE, TAG = "file", "tag"
"""What is there afterwards, in the directory that it starts in."""


def command() -> List[str]:
    """Starts it. It is told the address on stdin, since argument lists can be seen by everybody."""
    return [sys.executable or os.readlink("/proc/self/exe"), "-I", "-S", os.path.abspath(sys.argv[0]), OPTION]


def told(url: str, most: int) -> bytes:
    """What it is told. most: bytes."""
    return json.dumps({"url": url, "most": most}).encode()


def main() -> int:
    """Fetch what stdin tells."""
    from prominence.executor.adapters.http import HttpWeb  # which the broker itself does not need

    wanted = json.loads(sys.stdin.buffer.read())
    try:
        tag = HttpWeb().get(Address(wanted["url"]), Path(FILE), wanted["most"], Stop())
    except TransferFailed as error:
        print(error, file=sys.stderr)
        return 1
    Path(TAG).write_text(tag, encoding="ascii")
    return 0
