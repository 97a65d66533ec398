"""What users call objects, what the store calls them, and whose they are."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Forbidden, ProminenceError, Rejected
from prominence.restapi import areas
from prominence.restapi.areas import Area, Kind
from prominence.restapi.identity import Identity

ALICE = Identity("alice", ("physics", "physics-2"))


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("data.tgz", "uploads/alice/data.tgz"),
        ("physics/data.tgz", "groups/physics/data.tgz"),
        ("physics/2026/data.tgz", "groups/physics/2026/data.tgz"),
        ("physics-2/x", "groups/physics-2/x"),
        ("größe & 100%?.txt", "uploads/alice/größe & 100%?.txt"),
    ],
)
def test_a_name_is_stored_in_the_area_that_it_says(name: str, stored: str) -> None:
    found = areas.find(name, ALICE)
    assert found.stored_as == stored
    assert found.area.shown(stored) == name


@pytest.mark.parametrize(
    "name", ["chemistry/x", "phys/x", "physics-/x", "PHYSICS/x", "physics-20/x", "alice/x", "bob/x"]
)
def test_what_stands_before_the_slash_must_be_a_whole_group_of_the_callers(name: str) -> None:
    with pytest.raises(Forbidden):
        areas.find(name, ALICE)
    with pytest.raises(Forbidden):
        areas.folder(name, ALICE)


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "/etc/passwd", "a/", "physics//x", "..", ".", "../x", "physics/..", "physics/../x", "physics/./x",
        "a\x00b", "a\nb", "a\x7fb", "a\u2028b", "a\x85b", "\ud800", "e\u0301", "x" * 241, "physics/" + "x" * 241,
        "ä" * 121, "physics/" + "/".join("x" * 200 for _ in range(4)),
    ],
)  # fmt: skip
def test_a_name_that_could_mean_something_else_is_refused(name: str) -> None:
    with pytest.raises(Rejected):
        areas.find(name, ALICE, "filename")


def test_a_user_and_a_group_of_one_name_have_folders_of_their_own() -> None:
    physics = Identity("physics")
    assert areas.find("data", physics).stored_as != areas.find("physics/data", ALICE).stored_as
    assert areas.own(physics).folder == "uploads/physics"


@pytest.mark.parametrize(
    ("path", "folder"), [("", "uploads/alice"), ("physics", "groups/physics"), ("physics/2026", "groups/physics/2026")]
)
def test_a_path_names_a_group_or_a_folder_of_it(path: str, folder: str) -> None:
    assert areas.folder(path, ALICE)[1] == folder


OWNERS = [
    "a",
    "A",
    "..",
    ".",
    "a/b",
    "a%2Fb",
    "a b",
    "x" * 256,
    "x" * 255 + "y",
    "ä" * 256,
    "ä" * 255 + "o",
    "~",
    "%2E",
]


def test_owners_have_different_folders_whatever_they_are_called() -> None:
    folders = [Area(kind, owner).folder for kind, owner in itertools.product(Kind, OWNERS)]
    assert len(set(folders)) == len(folders)


@given(owner=st.text(st.characters(codec="utf-8"), min_size=1, max_size=256))
def test_a_folder_is_two_parts_that_any_store_takes(owner: str) -> None:
    above, part = Area(Kind.USER, owner).folder.split("/")
    assert above == "uploads"
    assert part not in ("", ".", "..")
    assert len(part.encode()) <= 255
    assert part.isascii()
    assert part.isprintable()


@given(name=st.text(max_size=300), groups=st.lists(st.text(max_size=5), max_size=2))
def test_any_name_is_an_object_of_the_callers_or_refused(name: str, groups: list[str]) -> None:
    caller = Identity("alice", tuple(groups))
    try:
        found = areas.find(name, caller)
    except ProminenceError:
        return
    assert found.area.owner == "alice" or found.area.owner in groups
    assert found.stored_as.startswith(f"{found.area.folder}/")
    assert ".." not in found.stored_as.split("/")
    assert found.area.shown(found.stored_as) == name


@given(name=st.text(max_size=30), other=st.text(max_size=30))
def test_two_names_are_never_one_object(name: str, other: str) -> None:
    caller = Identity("alice", ("physics", "a", "b"))
    try:
        first, second = areas.find(name, caller), areas.find(other, caller)
    except ProminenceError:
        return
    assert (first.stored_as == second.stored_as) == (name == other)


def test_an_output_stays_in_its_jobs_folder() -> None:
    assert areas.output("uid-1", "run/out.txt") == "scratch/uid-1/run/out.txt"
    with pytest.raises(Rejected):
        areas.output("uid-1", "../uid-2/out.txt")
