"""Jobs into room, and the rest onto the right machines."""

from __future__ import annotations

from builders import a_demand, a_flavour, a_size
from builders_scaler import LARGE, SMALL
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core.machines import Flavour, Size
from prominence.core.placement import Place
from prominence.core.snapshot import Demand
from prominence.scaler import packing

SCALE = LARGE.size


def queue(*demand: Demand) -> packing.Waiting:
    return packing.queue(demand, SCALE)


def chosen(waiting: packing.Waiting, *flavours: Flavour) -> tuple[str, int]:
    machine = packing.best_machine(waiting, flavours, SCALE)
    assert machine is not None
    return machine.flavour.name, sum(machine.taken)


def test_big_jobs_get_room_before_small_ones() -> None:
    waiting = queue(a_demand(jobs=8), a_demand(size=a_size(3, 3000), jobs=1))
    assert packing.fill(SMALL.size, SMALL.place, waiting) == (1, 1)


def test_memory_and_disk_limit_as_cores_do() -> None:
    memory, disk = a_size(1, 2000, 1024), a_size(1, 100, 20 * 1024)
    assert packing.fill(SMALL.size, SMALL.place, queue(a_demand(size=memory, jobs=9))) == (2,)
    assert packing.fill(SMALL.size, SMALL.place, queue(a_demand(size=disk, jobs=9))) == (2,)


def test_small_jobs_share_one_machine() -> None:
    assert chosen(queue(a_demand(jobs=12)), SMALL, LARGE) == ("large", 12)


def priced(cores: int) -> Flavour:
    size = a_size(cores, cores * 4000, cores * 20 * 1024)
    return a_flavour(name=f"of-{cores}", size=size, price=cores * 0.0425)


def test_at_about_the_same_price_small_jobs_share_middling_machines_as_long_as_there_are_plenty() -> None:
    flavours = [priced(cores) for cores in (2, 8, 16, 32, 64)]
    scale = packing.scale_of(flavour.size for flavour in flavours)
    waiting = packing.queue([a_demand(size=a_size(1, 2000, 1000), jobs=64)], scale)

    def machine(plenty: int) -> str:
        found = packing.best_machine(waiting, flavours, scale, plenty=lambda flavour: plenty)
        assert found is not None
        return found.flavour.name

    assert [machine(plenty) for plenty in (100, 4, 3, 2, 1, 0)] == [
        "of-16",
        "of-16",
        "of-32",
        "of-32",
        "of-64",
        "of-64",
    ]


def test_one_small_job_gets_the_smallest_machine() -> None:
    assert chosen(queue(a_demand()), LARGE, SMALL) == ("small", 1)


def test_the_cheaper_of_two_machines_that_do_the_same_is_ordered() -> None:
    dear, cheap = a_flavour(name="dear", price=2.0), a_flavour(name="cheap", price=1.0)
    assert chosen(queue(a_demand()), dear, cheap) == ("cheap", 1)


def test_a_dear_machine_that_does_much_beats_cheap_ones_that_do_little() -> None:
    small, large = a_flavour(price=1.0), LARGE.model_copy(update={"price": 3.0})
    assert chosen(queue(a_demand(jobs=16)), small, large) == ("large", 16)
    assert chosen(queue(a_demand(jobs=4)), small, large) == ("small", 4)


def test_a_machine_is_chosen_for_the_biggest_job_that_any_can_hold() -> None:
    too_big, big = a_demand(size=a_size(64)), a_demand(size=a_size(8))
    assert chosen(queue(too_big, big, a_demand()), SMALL, LARGE) == ("large", 2)


def test_a_cheap_machine_that_holds_only_small_jobs_does_not_come_before_the_big_one() -> None:
    cheap, dear = a_flavour(price=0.01), LARGE.model_copy(update={"price": 5.0})
    assert chosen(queue(a_demand(size=a_size(8)), a_demand(jobs=4)), cheap, dear) == ("large", 5)


def test_no_machine_is_chosen_when_none_can_hold_anything() -> None:
    assert packing.best_machine(queue(a_demand(size=a_size(64))), (SMALL, LARGE), SCALE) is None
    assert packing.best_machine(queue(), (SMALL,), SCALE) is None


def test_a_job_that_asks_for_nothing_still_needs_a_core() -> None:
    nothing = a_demand(size=a_size(0, 0, 0))
    assert packing.fill(a_size(0, 9000, 9000), Place(), queue(nothing)) == (0,)
    assert packing.best_machine(queue(nothing), (a_flavour(size=a_size(0, 100, 100)),), SCALE) is None


sizes = st.builds(Size, cpus=st.integers(0, 20), memory_mib=st.integers(0, 20_000), disk_mib=st.integers(0, 200 * 1024))
demands = st.lists(st.builds(Demand, size=sizes, user=st.sampled_from("abc"), jobs=st.integers(1, 30)), max_size=6)


@given(demand=demands, room=sizes)
@settings(max_examples=40)
def test_what_is_put_into_a_room_fits_there_and_nothing_more_would(demand: list[Demand], room: Size) -> None:
    waiting = queue(*demand)
    taken = packing.fill(room, Place(), waiting)
    put = packing.shares(waiting, taken)
    assert packing.total(put).fits(room)
    rest = packing.without(waiting, taken)
    assert sum(jobs for _, jobs in put) + sum(jobs for _, jobs in rest) == sum(jobs for _, jobs in waiting)
    free = room - packing.total(put)
    assert not any(packing.holds(free, demand.size) and demand.size.cpus for demand, _ in rest)


@given(demand=demands, flavours=st.lists(st.builds(a_flavour, size=sizes, price=st.floats(0, 5)), max_size=4))
@settings(max_examples=40)
def test_an_ordered_machine_has_work_that_fits_it(demand: list[Demand], flavours: list[Flavour]) -> None:
    machine = packing.best_machine(queue(*demand), flavours, SCALE)
    if machine is None:
        assert not any(packing.holds(f.size, d.size) for f in flavours for d in demand)
    else:
        assert any(machine.taken)
        assert packing.total(packing.shares(queue(*demand), machine.taken)).fits(machine.flavour.size)
