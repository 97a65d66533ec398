"""Images that were fetched with a credential are one session's, whatever happens around it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.broker import private
from prominence.executor.broker.enginesocket import EngineRefused, EngineUnavailable, HangUp, NotThere
from prominence.executor.broker.private import PrivateImages
from prominence.executor.broker.protocol import PRIVATE
from prominence.executor.broker.settings import Settings

SETTINGS = Settings(pool="p", worker="w")
SESSION = "0123456789abcdef0123456789abcdef"
DIGEST = f"sha256:{'d1' * 32}"
TOOL, EXACT = "registry.example.org/group/tool:1", f"registry.example.org/group/tool@{DIGEST}"


class Engine:
    """Names of images, and a registry that has one and gives it to one user."""

    def __init__(self, *names: str) -> None:
        self.known = dict.fromkeys(names, "sha256:i1")
        self.good = private._header("alice", "good")
        self.pulls: list[str] = []
        self.digest = DIGEST
        self.on_pull: Callable[[], None] = lambda: None

    def has(self, image: str) -> bool:
        return image in self.known

    def digest_at_registry(self, image: str, credential: str) -> str:
        if credential != self.good:
            raise EngineRefused("unauthorized")
        return self.digest

    def pull(self, image: str, hang_up: HangUp, credential: str = "") -> None:
        self.pulls.append(image)
        self.known[image] = "sha256:i1"
        self.on_pull()

    def tag(self, image: str, name: str) -> None:
        if image not in self.known:
            raise NotThere(image)
        self.known[name] = self.known[image]

    def untag(self, name: str) -> None:
        self.known.pop(name, None)

    def names(self, pattern: str) -> list[str]:
        return list(self.known)


def images(engine: Engine, session: str = SESSION, settings: Settings = SETTINGS) -> PrivateImages:
    return PrivateImages(session, engine, settings)  # type: ignore[arg-type]


def fetch(of: PrivateImages, token: str = "good") -> None:
    of.fetch(TOOL, "alice", token, HangUp())


def test_it_has_one_name_afterwards_that_nobody_may_ask_for_and_it_goes_with_the_session() -> None:
    engine = Engine()
    mine = images(engine)
    fetch(mine)
    assert engine.pulls == [EXACT], "by its digest, so that it never has a name that can be guessed"
    assert list(engine.known) == [mine.name_of(TOOL)]
    assert PRIVATE in str(mine.name_of(TOOL)) and SESSION in str(mine.name_of(TOOL))
    assert mine.digest_of(TOOL) == DIGEST
    mine.end()
    assert engine.known == {}


def test_another_session_has_nothing_of_it() -> None:
    engine = Engine()
    fetch(images(engine))
    other = images(engine, "f" * 32)
    assert (other.name_of(TOOL), other.digest_of(TOOL)) == (None, None)
    with pytest.raises(EngineRefused):
        fetch(other, "wrong")
    assert len(engine.known) == 1


def test_two_sessions_each_hold_it() -> None:
    engine = Engine()
    one, other = images(engine), images(engine, "f" * 32)
    fetch(one)
    fetch(other)
    one.end()
    assert list(engine.known) == [other.name_of(TOOL)]


def test_what_everybody_has_stays() -> None:
    engine = Engine(EXACT, TOOL)
    mine = images(engine)
    fetch(mine)
    assert engine.pulls == []
    mine.end()
    assert set(engine.known) == {EXACT, TOOL}


def test_an_image_that_another_job_puts_away_in_the_same_moment_is_fetched_anew() -> None:
    engine = Engine()
    often = iter([True, True, False])
    engine.on_pull = lambda: engine.untag(EXACT) if next(often) else None
    fetch(images(engine))
    assert len(engine.pulls) == 3
    engine.on_pull = lambda: engine.untag(EXACT)
    with pytest.raises(EngineRefused, match="does not stay"):
        fetch(images(engine, "f" * 32))


def test_a_pull_that_breaks_off_leaves_nothing() -> None:
    engine = Engine()

    def break_off() -> None:
        raise EngineUnavailable("hung up")

    engine.on_pull = break_off
    mine = images(engine)
    with pytest.raises(EngineUnavailable):
        fetch(mine)
    assert (engine.known, mine.name_of(TOOL)) == ({}, None)


@pytest.mark.parametrize("digest", ["", "latest", "sha256:1", f"{DIGEST}/../x", f"{DIGEST}?a=b"])
def test_a_registry_that_tells_no_digest_is_not_believed(digest: str) -> None:
    engine = Engine()
    engine.digest = digest
    with pytest.raises(EngineRefused, match="no digest"):
        fetch(images(engine))
    assert (engine.known, engine.pulls) == ({}, [])


def test_fetched_again_it_has_the_same_name() -> None:
    engine = Engine()
    mine = images(engine)
    fetch(mine)
    fetch(mine)
    assert len(engine.known) == 1


def test_what_a_dead_session_of_this_worker_has_left_is_found_and_no_other_workers() -> None:
    engine = Engine()
    mine = images(engine)
    fetch(mine)
    fetch(images(engine, "f" * 32, Settings(pool="p", worker="w2")))
    engine.known["busybox:1"] = "sha256:i2"
    assert private.leftovers(engine, SETTINGS) == {mine.name_of(TOOL): SESSION}  # type: ignore[arg-type]


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_credential_fits_into_a_header(username: str, token: str) -> None:
    header = private._header(username, token)
    assert header.isascii() and not set(header) & set("\r\n :")
