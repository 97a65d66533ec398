"""What Prometheus reads of the API."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from builders import job_json
from builders_restapi import an_api
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from prominence.core.errors import Unavailable
from prominence.core.health import Condition, Finding
from prominence.core.prometheus import Figures
from prominence.restapi.adapters.prometheus import (
    OTHERS,
    Conditions,
    GroupUsage,
    RequestMeter,
    ServiceFigures,
    largest,
)
from prominence.restapi.operations import BASE_PATH
from prominence.restapi.usage import Sum


def told(registry: CollectorRegistry) -> dict[str, float]:
    """Every figure of ours but buckets and times, by name and labels."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        f"{sample.name.removeprefix('prominence_restapi_')}{sorted(sample.labels.values()) or ''}": sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("prominence_restapi_") and not sample.name.endswith(("_sum", "_bucket", "_created"))
    }


def told_by(one: Callable[[Figures], Collector]) -> dict[str, float]:
    return told(ServiceFigures(None, one).registry)


def test_requests_are_counted_by_operation_and_kind_of_answer_and_never_by_what_they_name() -> None:
    registry = CollectorRegistry()
    api = an_api(meter=RequestMeter(registry))
    api.submit()
    for path in ("/jobs/1", "/jobs/2", "/jobs/3?all=no", "/secret-of-somebody", "/jobs/1/no/such"):
        api.client.get(BASE_PATH + path, headers={"Authorization": "Bearer token-of-alice"})
    api.client.post(f"{BASE_PATH}/jobs", json=job_json())
    api.client.open(f"{BASE_PATH}/jobs", method="BREW")
    assert told(registry) == {
        "request_seconds_count['/jobs', '2xx', 'POST']": 1,
        "request_seconds_count['/jobs', '4xx', 'POST']": 1,
        "request_seconds_count['/jobs/<job>', '2xx', 'GET']": 3,
        "request_seconds_count['', '', '4xx']": 3,
    }


def test_each_part_is_told_with_its_condition() -> None:
    looked = []

    def find() -> list[Finding]:
        looked.append(1)
        return [Finding("schedd", Condition.OK, "It answers."), Finding("cloud a", Condition.BROKEN, "It does not.")]

    registry = ServiceFigures(None, partial(Conditions, find=find, good_for_s=3600)).registry
    for _ in range(3):
        assert told(registry) == {"part_condition['ok', 'schedd']": 1, "part_condition['broken', 'cloud a']": 1}
    assert len(looked) == 1


def test_what_groups_have_used_is_told_in_seconds_and_currency() -> None:
    sums = {"fusion": Sum(2, 3_000, 1_500, 3, 4_000, 7_200_000, 2_500_000), "": Sum(1, 1_000)}
    found = told_by(partial(GroupUsage, sums=lambda: sums, good_for_s=0))
    assert {name: value for name, value in found.items() if "fusion" in name} == {
        "used_jobs['fusion']": 2,
        "used_core_seconds['fusion']": 3,
        "used_cpu_seconds['fusion']": 1.5,
        "used_unit_hours['fusion']": 2,
        "used_cost['fusion']": 2.5,
    }
    assert found["used_core_seconds['']"] == 1


def test_of_accounts_that_cannot_be_read_nothing_is_told() -> None:
    def fail() -> dict[str, Sum]:
        raise Unavailable("The accounts are not there yet.")

    assert told_by(partial(GroupUsage, sums=fail, good_for_s=0)) == {}


@given(
    st.dictionaries(st.text("abc", max_size=3), st.builds(Sum, *[st.integers(0, 9)] * 7), max_size=9), st.integers(1, 5)
)
def test_the_largest_groups_are_told_and_nothing_of_the_rest_is_lost(sums: dict[str, Sum], most: int) -> None:
    found = largest(sums, most)
    assert sum(found.values(), Sum()) == sum(sums.values(), Sum())
    assert len(found) <= most + 1
    if OTHERS in found:
        kept = [sums[group].core_ms for group in found if group != OTHERS]
        assert all(one.core_ms <= min(kept) for group, one in sums.items() if group not in found)
