from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.orders import Order, Refusal, Verb
from prominence.executor import snapshot
from prominence.executor.ports import Stop
from prominence.executor.transfer import Address, TransferFailed


@dataclass
class Web:
    """Keeps what is sent, by address. refuses: why nothing can be sent."""

    refuses: str = ""
    sent: dict[str, list[str]] = field(default_factory=dict)

    def get(self, address: Address, file: Path, most: int | None, stop: Stop) -> str:
        raise AssertionError

    def is_still(self, address: Address, tag: str) -> bool:
        raise AssertionError

    def put(self, address: Address, file: Path, stop: Stop) -> None:
        if self.refuses:
            raise TransferFailed(self.refuses)
        with tarfile.open(file) as archive:
            self.sent[address.url] = archive.getnames()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "results" / "deep").mkdir(parents=True)
    (home / "results" / "deep" / "a.txt").write_text("a")
    (tmp_path / "job.token").write_text("secret")
    return home


def order(path: str, most: int | None = None) -> Order:
    return Order(Verb.SNAPSHOT, 0, path=path, url="https://there", most=most)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("results/deep", ["deep", "deep/a.txt"]),
        ("/home/user/results/deep/", ["deep", "deep/a.txt"]),
        ("results/deep/a.txt", ["a.txt"]),
        ("results/../results/deep", ["deep", "deep/a.txt"]),
        (".", ["home", "home/results", "home/results/deep", "home/results/deep/a.txt"]),
        ("/home/user", ["home", "home/results", "home/results/deep", "home/results/deep/a.txt"]),
    ],
)
def test_what_is_named_is_sent(home: Path, tmp_path: Path, path: str, names: list[str]) -> None:
    web = Web()
    assert snapshot.take(order(path), home, tmp_path, web).exit_code == 0
    assert web.sent == {"https://there": names}
    assert not list(tmp_path.glob("snapshot-*"))


@pytest.mark.parametrize("path", ["nothing", "..", "../job.token", "/etc/passwd", "/home/user/../../job.token", "out"])
def test_what_is_not_in_the_home_is_not_there(home: Path, tmp_path: Path, path: str) -> None:
    (home / "out").symlink_to("../job.token")
    web = Web()
    answer = snapshot.take(order(path), home, tmp_path, web)
    assert (answer.refusal, web.sent) == (Refusal.NO_SUCH_FILE, {})


@given(st.lists(st.one_of(st.text(max_size=5), st.sampled_from(["..", "results", "deep", "out", "/"]))).map("/".join))
def test_whatever_path_is_asked_for_nothing_from_elsewhere_is_sent(path: str) -> None:
    with TemporaryDirectory() as text:
        sandbox = Path(text)
        (sandbox / "home/results/deep").mkdir(parents=True)
        (sandbox / "job.token").write_text("secret")
        (sandbox / "home/out").symlink_to("../job.token")
        web = Web()
        answer = snapshot.take(order(path), sandbox / "home", sandbox, web)
        sent = [name for names in web.sent.values() for name in names]
        assert (answer.refusal is None) == bool(sent)
        assert not any("job.token" in name for name in sent)


def test_why_it_could_not_be_sent_is_told(home: Path, tmp_path: Path) -> None:
    answer = snapshot.take(order("results"), home, tmp_path, Web("the store is away"))
    assert (answer.refusal, answer.detail) == (Refusal.FAILED, "the store is away")


def test_what_is_too_large_is_not_sent(home: Path, tmp_path: Path) -> None:
    web = Web()
    assert snapshot.take(order("results", most=10), home, tmp_path, web).refusal is Refusal.TOO_LARGE
    assert web.sent == {}


def test_no_more_is_packed_than_may_be_sent(home: Path, tmp_path: Path) -> None:
    (home / "results" / "huge").touch()
    os.truncate(home / "results" / "huge", 10**13)
    answer = snapshot.take(order("results", most=10_000), home, tmp_path, Web())
    assert answer.detail == "packed it has more than the 10000 bytes that it may have"
