from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.choice import candidates, in_order, why_none, why_not_fetched

NAMES = st.lists(st.sampled_from(["apptainer", "docker", "podman"]), unique=True)


def test_only_what_the_worker_has_is_a_candidate_in_the_plans_order() -> None:
    assert candidates(("docker", "podman", "apptainer"), {"apptainer", "docker"}) == ("docker", "apptainer")


def test_who_holds_the_image_is_tried_before_who_would_have_to_fetch_it() -> None:
    assert in_order(("apptainer", "docker"), {"docker"}) == ("docker", "apptainer")


def test_where_all_hold_it_or_none_does_the_plans_order_stands() -> None:
    for holding in (set[str](), {"apptainer", "docker"}):
        assert in_order(("apptainer", "docker"), holding) == ("apptainer", "docker")


@given(NAMES, NAMES)
def test_every_candidate_gets_its_turn(names: list[str], holding: list[str]) -> None:
    order = in_order(names, holding)
    assert sorted(order) == sorted(names)
    assert [name in holding for name in order] == sorted((name in holding for name in order), reverse=True)


def test_why_there_is_none_names_what_is_asked_for_and_what_is_there() -> None:
    assert why_none(("docker",), {"apptainer"}) == "it asks for docker, and the worker has apptainer"
    assert why_none(("docker", "podman"), ()) == "it asks for docker or podman, and the worker has none that works"


def test_refusals_that_agree_are_told_once() -> None:
    assert why_not_fetched({"apptainer": "no", "docker": "no"}) == "no"
    assert why_not_fetched({"apptainer": "no", "docker": "never"}) == "apptainer: no; docker: never"
