"""Which of the images in an engine's store a worker may remove, and in which order."""

from __future__ import annotations

import fnmatch

import pytest
from builders_executor import Clock

from prominence.executor.broker.enginesocket import EngineRefused, HangUp, NotThere
from prominence.executor.broker.names import qualified, repository
from prominence.executor.broker.pulled import PulledImages
from prominence.executor.broker.settings import Settings

MIB = 1024 * 1024


class Store:
    """The engine: each image has 1 MiB."""

    def __init__(self) -> None:
        self.by_name: dict[str, str] = {}
        self.in_use: set[str] = set()
        self.stuck: set[str] = set()

    def has(self, image: str) -> bool:
        return image in self.by_name

    def pull(self, image: str, hang_up: HangUp) -> None:
        self.by_name[image] = f"sha256:{image.rpartition('/')[2].partition(':')[0]}"

    def image_id(self, image: str) -> str:
        if image not in self.by_name:
            raise NotThere(image)
        return self.by_name[image]

    def image_ids(self) -> set[str]:
        return set(self.by_name.values())

    def tag(self, image: str, name: str) -> None:
        self.by_name[name] = image if image in self.image_ids() else self.image_id(image)

    def untag(self, name: str) -> None:
        if self.by_name.get(name) in self.stuck:
            raise EngineRefused("a container uses it")
        self.by_name.pop(name, None)
        front = repository(name)
        if not any(one.startswith(f"{front}:") for one in self.by_name):  # the digests go with the last tag
            for one in [one for one in self.by_name if one.startswith(f"{front}@")]:
                del self.by_name[one]

    def sizes(self, pattern: str) -> dict[str, tuple[int, list[str]]]:
        found: dict[str, tuple[int, list[str]]] = {}
        for name in fnmatch.filter(self.by_name, pattern):
            found.setdefault(self.by_name[name], (MIB, []))[1].append(name)
        return found

    def all_names(self, image: str) -> list[str]:
        return [qualified(name) for name, held in self.by_name.items() if held == image]

    def images_in_use(self) -> set[str]:
        return self.in_use

    @property
    def images(self) -> str:
        return "".join(sorted(image.partition(":")[2] for image in set(self.by_name.values())))


class Bench:
    def __init__(self) -> None:
        self.store, self.clock = Store(), Clock()
        self.images = self.of("a-pool")

    def of(self, pool: str, room: int = 2) -> PulledImages:
        return PulledImages(self.store, Settings(pool=pool, images_mib=room), self.clock)  # type: ignore[arg-type]

    def pull(self, *letters: str) -> None:
        for letter in letters:
            self.clock.advance(100)
            self.images.fetch(f"example.org/{letter}:1", HangUp())

    def use(self, letter: str) -> None:
        self.clock.advance(100)
        self.images.used(f"example.org/{letter}:1", f"sha256:{letter}")

    def tidy(self, pool: str = "a-pool", room: int = 2) -> None:
        """When whatever was pulled is long in use, or is not."""
        self.clock.advance(100)
        self.of(pool, room).tidy()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_what_was_not_used_for_longest_goes_first(bench: Bench) -> None:
    bench.pull("a", "b", "c")
    bench.use("a")
    bench.tidy()
    assert bench.store.images == "ac"


def test_of_what_goes_no_name_stays_and_of_what_stays_one_mark(bench: Bench) -> None:
    bench.pull("a", "b", "c")
    for _ in range(3):
        bench.use("c")
    bench.tidy()
    assert sorted(set(bench.store.by_name.values())) == ["sha256:b", "sha256:c"]
    assert len(bench.store.by_name) == 4


def test_what_somebody_is_about_to_use_stays(bench: Bench) -> None:
    bench.pull("a")
    bench.clock.advance(9)
    bench.of("a-pool", room=0).tidy()
    assert bench.store.images == "a"
    bench.clock.advance(1)
    bench.of("a-pool", room=0).tidy()
    assert bench.store.images == ""


def test_while_it_fits_all_stays(bench: Bench) -> None:
    bench.pull("a", "b")
    bench.tidy()
    assert bench.store.images == "ab"


def test_what_was_there_before_is_never_removed(bench: Bench) -> None:
    bench.store.by_name = {"example.org/o:1": "sha256:o"}
    bench.pull("o", "a", "b")
    bench.use("o")
    bench.tidy(room=0)
    assert bench.store.by_name == {"example.org/o:1": "sha256:o"}


def test_nor_what_has_got_the_name_of_something_pulled_since(bench: Bench) -> None:
    bench.pull("a")
    bench.store.by_name["example.org/a:1"] = "sha256:o"
    bench.clock.advance(100)
    bench.images.used("example.org/a:1", "sha256:o")
    bench.tidy(room=0)
    assert bench.store.by_name == {"example.org/a:1": "sha256:o"}


def test_nor_what_was_there_by_its_digest_alone(bench: Bench) -> None:
    bench.store.by_name = {f"example.org/a@sha256:{'d' * 64}": "sha256:a"}
    bench.pull("a")
    bench.tidy(room=0)
    assert f"example.org/a@sha256:{'d' * 64}" in bench.store.by_name


def test_what_another_pool_has_pulled_by_another_name_stays_its_own(bench: Bench) -> None:
    bench.of("b-pool").fetch("example.org/a:2", HangUp())
    bench.pull("a")
    bench.tidy(room=0)
    assert bench.store.images == "a"
    bench.of("b-pool", room=0).tidy()
    assert not bench.store.by_name


def test_nor_is_what_an_operator_has_given_another_name(bench: Bench) -> None:
    bench.pull("a")
    bench.store.tag("example.org/a:1", "kept:1")
    bench.tidy(room=0)
    assert bench.store.by_name == {"kept:1": "sha256:a"}


def test_nor_what_another_pool_has_pulled(bench: Bench) -> None:
    bench.pull("a")
    bench.of("b-pool", room=0).tidy()
    assert bench.store.images == "a"


def test_nor_what_is_in_use(bench: Bench) -> None:
    bench.pull("a", "b", "c")
    bench.store.in_use = {"sha256:a"}
    bench.store.stuck = {"sha256:b"}
    bench.tidy(room=0)
    assert bench.store.images == "ab"


def test_an_image_with_two_names_counts_once_and_goes_with_both(bench: Bench) -> None:
    bench.pull("a")
    bench.store.pull = lambda image, hang_up: bench.store.by_name.update({image: "sha256:a"})  # type: ignore[method-assign]
    bench.pull("other")
    bench.of("a-pool", room=1).tidy()
    assert bench.store.images == "a"
    bench.tidy(room=0)
    assert not bench.store.by_name
