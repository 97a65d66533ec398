"""Files that come from a store: what is left of them when this program is killed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import requests

from prominence.cli import transfers
from prominence.cli.transfers import download


class Store(requests.Session):
    """Has one object, of which it gives the rest if the tag is still its own."""

    def __init__(self, content: bytes, tag: str) -> None:
        super().__init__()
        self.content, self.tag = content, tag

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        headers, answer = options["headers"], requests.Response()
        goes_on = headers.get("If-Range") == self.tag
        have = int(headers["Range"].removeprefix("bytes=").rstrip("-")) if goes_on else 0
        answer.status_code = 206 if goes_on else 200
        answer.headers["ETag"] = self.tag
        if goes_on:
            answer.headers["Content-Range"] = f"bytes {have}-{len(self.content) - 1}/{len(self.content)}"
        answer.raw = io.BytesIO(self.content[have:])
        return answer


def test_a_download_that_is_killed_as_it_begins_anew_mixes_no_two_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "data"
    (tmp_path / ".data.part").write_bytes(b"old ")
    (tmp_path / ".data.part.tag").write_text('"1"')
    store = Store(b"the new content", '"2"')
    with monkeypatch.context() as patch:
        patch.setattr(transfers, "_write", _killed)
        with pytest.raises(KeyboardInterrupt):
            download(store, "http://store/data", target, lambda _: None)
    download(store, "http://store/data", target, lambda _: None)
    assert target.read_bytes() == b"the new content"


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
