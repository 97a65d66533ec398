"""Files that come from a store: what is left of them when this program is killed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from prominence.cli import transfers
from prominence.cli.errors import ApiError, ClientError
from prominence.cli.transfers import download


class Store(requests.Session):
    """Has one object, of which it gives the rest if the tag is still its own. first: with what it answers before."""

    def __init__(self, content: bytes, tag: str, first: Sequence[int] = ()) -> None:
        super().__init__()
        self.content, self.tag, self.first = content, tag, list(first)
        self.ranges: list[str] = []

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        headers, answer = options["headers"], requests.Response()
        if self.first:
            answer.status_code, answer.raw = self.first.pop(0), io.BytesIO(b"<Error/>")
            return answer
        goes_on = headers.get("If-Range") == self.tag
        self.ranges += [headers["Range"]] if goes_on else []
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


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_store_that_cannot_at_the_moment_is_asked_again(status: int, tmp_path: Path) -> None:
    store, naps = Store(b"content", '"1"', [status, status]), list[float]()
    download(store, "http://store/data", tmp_path / "data", lambda _: None, naps.append)
    assert ((tmp_path / "data").read_bytes(), naps) == (b"content", [0.5, 1])


def test_a_store_that_refuses_is_not_asked_again(tmp_path: Path) -> None:
    store, naps = Store(b"content", '"1"', [403]), list[float]()
    with pytest.raises(ApiError, match="the store says 403"):
        download(store, "http://store/data", tmp_path / "data", lambda _: None, naps.append)
    assert naps == []


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127, "a" * 245, "a" * 246])
def test_a_file_may_have_the_longest_name_that_there_is(name: str, tmp_path: Path) -> None:
    part = _killed_after(b"con", tmp_path / name)
    store = Store(b"content", '"1"')
    download(store, "http://store/data", tmp_path / name, lambda _: None)
    assert ((tmp_path / name).read_bytes(), store.ranges) == (b"content", ["bytes=3-"])
    assert not part.exists()
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_two_downloads_at_once_do_not_write_into_the_same_file(tmp_path: Path) -> None:
    target, store, refused = tmp_path / "data", Store(b"content " * 100_000, '"1"'), list[ClientError]()

    def meanwhile(_: int) -> None:
        try:
            download(store, "http://store/data", target, lambda _: None)
        except ClientError as error:
            refused.append(error)

    download(store, "http://store/data", target, meanwhile)
    assert target.read_bytes() == store.content
    assert {str(error) for error in refused} == {"data is being fetched by another download."}
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_is_left_of_a_download_of_which_nothing_came(tmp_path: Path) -> None:
    with pytest.raises(ApiError):
        download(Store(b"content", '"1"', [403]), "http://store/data", tmp_path / "data", lambda _: None)
    assert list(tmp_path.iterdir()) == []


def _killed_after(piece: bytes, target: Path) -> Path:
    """The part of it that is left."""

    def kill(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(Store(piece, '"1"'), "http://store/data", target, kill)
    [part] = [one for one in target.parent.iterdir() if one.suffix == ".part"]
    return part


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
