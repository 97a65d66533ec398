from __future__ import annotations

from prominence.executor.choice import candidates, why_none, why_not_fetched


def test_only_what_the_worker_has_is_a_candidate_in_the_plans_order() -> None:
    assert candidates(("docker", "podman", "apptainer"), {"apptainer", "docker"}) == ("docker", "apptainer")


def test_why_there_is_none_names_what_is_asked_for_and_what_is_there() -> None:
    assert why_none(("docker",), {"apptainer"}) == "it asks for docker, and the worker has apptainer"
    assert why_none(("docker", "podman"), ()) == "it asks for docker or podman, and the worker has none that works"


def test_refusals_that_agree_are_told_once() -> None:
    assert why_not_fetched({"apptainer": "no", "docker": "no"}) == "no"
    assert why_not_fetched({"apptainer": "no", "docker": "never"}) == "apptainer: no; docker: never"
