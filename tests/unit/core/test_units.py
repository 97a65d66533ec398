"""Conversions that HTCondor and people depend on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import units

AMOUNTS = st.floats(0.001, 2_000_000)


def test_a_job_of_four_gigabytes_fits_a_machine_sold_with_four() -> None:
    assert units.memory_mib(4) == 4000


def test_disk_is_counted_in_powers_of_two() -> None:
    assert units.disk_kib(1) == 1024 * 1024


@pytest.mark.parametrize(("gigabytes", "mib"), [(0.0001, 1), (0.5, 500), (1.0001, 1001)])
def test_part_of_a_unit_is_rounded_up(gigabytes: float, mib: int) -> None:
    assert units.memory_mib(gigabytes) == mib


@given(AMOUNTS)
def test_what_is_asked_for_is_never_less_than_wished(gigabytes: float) -> None:
    assert units.memory_mib(gigabytes) >= gigabytes * 1000
    assert units.disk_kib(gigabytes) >= gigabytes * 1024**2


@given(st.integers(1, 200_000_000))
def test_gigabytes_with_two_decimals_survive_both_ways(hundredths: int) -> None:
    gigabytes = hundredths / 100
    assert units.memory_gb(units.memory_mib(gigabytes)) == pytest.approx(gigabytes, abs=0.011)
    assert units.disk_gb(units.disk_kib(gigabytes)) == gigabytes


def test_minutes_become_seconds() -> None:
    assert units.seconds(90) == 5400


@pytest.mark.parametrize(
    ("value_s", "text"),
    [(0, "0 s"), (0.5, "0.5 s"), (119, "119 s"), (120, "2 min"), (7199, "2 h"), (12_000, "3 h 20 min")],
)
def test_durations_are_said_plainly(value_s: float, text: str) -> None:
    assert units.plainly(value_s) == text
