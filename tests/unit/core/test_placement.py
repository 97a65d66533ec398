"""Where jobs may run and had rather run."""

from __future__ import annotations

from typing import Any

import pytest
from builders import a_job, job_json
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Rejected
from prominence.core.job import JobSpec
from prominence.core.placement import Area, Place, Placement, of_texts
from prominence.core.policies import MOST_PLACES, Policies
from prominence.core.validation import parse

NAMES = ["one", "two", "three", "One"]
names = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple)
areas = st.builds(Area, sites=names, regions=names)
placements = st.builds(Placement, requirements=areas, preferences=areas)
places = st.builds(Place, st.sampled_from([*NAMES, ""]), st.sampled_from([*NAMES, ""]))


def test_an_area_without_names_is_everywhere() -> None:
    assert Area().is_everywhere
    assert Area().holds(Place())


@pytest.mark.parametrize(
    ("place", "inside"),
    [
        (Place("one", "north"), True),
        (Place("two", "north"), True),
        (Place("one", "south"), False),
        (Place("three", "north"), False),
        (Place("on", "north"), False),
        (Place("ONE", "north"), False),
        (Place("one,two", "north"), False),
        (Place("", ""), False),
    ],
)
def test_names_are_compared_as_a_whole_and_site_and_region_must_both_be_right(place: Place, inside: bool) -> None:
    assert Area(sites=("one", "two"), regions=("north",)).holds(place) is inside


def test_a_better_site_comes_before_a_better_region_and_what_is_not_named_last() -> None:
    placement = Placement(preferences=Area(sites=("one", "two"), regions=("north", "south")))
    best = [
        Place("one", "north"),
        Place("one", "south"),
        Place("one", "east"),
        Place("two", "north"),
        Place("two", ""),
        Place("three", "north"),
        Place("three", "west"),
    ]
    distances = [placement.distance(place) for place in best]
    assert distances == sorted(set(distances))
    assert distances[0] == 0


@given(places)
def test_without_preferences_all_places_are_alike(place: Place) -> None:
    assert Placement().distance(place) == 0


@given(placements)
def test_a_jobs_ad_keeps_all_of_it(placement: Placement) -> None:
    assert of_texts(placement.texts()) == placement


@given(st.lists(st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9)), min_size=4, max_size=4))
def test_whatever_an_ad_holds_is_some_placement(texts: list[object]) -> None:
    assert "" not in of_texts(texts).requirements.sites


@given(areas, areas, places)
def test_what_is_in_both_areas_is_in_their_common_one(one: Area, other: Area, place: Place) -> None:
    """Of areas that have a place in common, as that is asked of no others."""
    if one.holds(place) and other.holds(place):
        both = one.and_in(other)
        assert both.holds(place)
        for elsewhere in (Place(site, region) for site in NAMES for region in NAMES):
            assert both.holds(elsewhere) == (one.holds(elsewhere) and other.holds(elsewhere))


def complaints(placement: Any) -> list[str]:
    with pytest.raises(Rejected) as caught:
        parse(JobSpec, job_json(policies={"placement": placement}))
    return [str(mistake) for mistake in caught.value.mistakes]


SPELLING = "must be the name of a site or region: letters (a to z), digits and _ . - only, 63 at most"


def test_all_mistakes_are_told_at_once() -> None:
    wrong = {
        "requirements": {"sites": ["a b", 7], "regions": "north", "zones": []},
        "preferences": {"sites": ["a", "b", "a"], "regions": [f"r{n}" for n in range(MOST_PLACES + 1)]},
        "wishes": {},
    }
    at = "policies.placement"
    assert sorted(complaints(wrong)) == sorted(
        [
            f"{at}.requirements.sites[0]: {SPELLING}",
            f"{at}.requirements.sites[1]: must be a text",
            f"{at}.requirements.regions: must be a list",
            f"{at}.requirements.zones: unknown field",
            f"{at}.preferences.sites: a is there twice",
            f"{at}.preferences.regions: must be at most 20 names, not 21",
            f"{at}.wishes: unknown field",
        ]
    )


@given(st.text(max_size=70).filter(lambda text: text != "" and text.isprintable()))
def test_a_name_is_taken_as_it_is_or_refused(name: str) -> None:
    try:
        spec = a_job(policies={"placement": {"requirements": {"sites": [name]}}})
    except Rejected as error:
        assert [str(one) for one in error.mistakes] == [f"policies.placement.requirements.sites[0]: {SPELLING}"]
    else:
        assert spec.policies.places().requirements.sites == (name,)
        assert of_texts(spec.policies.places().texts()) == spec.policies.places()


@pytest.mark.parametrize("name", ["", "a" * 64, "a,b", "a b", "-a", 'a"', "a\n", "$(a)", "a%2C", "é", "../a"])
def test_what_could_be_more_than_a_name_is_refused(name: str) -> None:
    assert complaints({"preferences": {"regions": [name]}}) == [
        f"policies.placement.preferences.regions[0]: {SPELLING}"
    ]


@pytest.mark.parametrize("said", [{}, {"requirements": {}}, {"preferences": {"sites": [], "regions": []}}])
def test_who_says_nothing_may_be_anywhere(said: dict[str, Any]) -> None:
    assert a_job(policies={"placement": said}).policies.places() == Policies().places() == Placement()
