from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.proctree import Process, descendants, memory_kib, parse, programs, table


def a_status(**changes: str) -> str:
    fields = {"Name": "x: y", "State": "S (sleeping)", "Pid": "45", "PPid": "4", "NSpid": "45", **changes}
    return "".join(f"{name}:\t{value}\n" for name, value in fields.items())


def test_the_kernels_text_is_read() -> None:
    assert parse(a_status()) == Process(pid=45, parent=4)


def test_who_has_ended_and_is_not_buried_is_a_zombie() -> None:
    assert parse(a_status(State="Z (zombie)")).zombie


def test_a_process_of_a_pid_namespace_below_ours_is_nested_and_the_first_of_it_is_its_init() -> None:
    assert parse(a_status(NSpid="45\t1")) == Process(pid=45, parent=4, nested=True, init=True)
    assert parse(a_status(NSpid="45\t7")) == Process(pid=45, parent=4, nested=True)


def test_in_a_container_of_our_own_we_are_not_nested() -> None:
    assert not parse(a_status(NSpid="45\t1"), our_depth=2).nested


def test_an_old_kernel_without_namespaces_in_the_text_is_fine() -> None:
    assert not parse("Name:\ta\nState:\tR\nPid:\t9\nPPid:\t1\n").nested


def test_descendants_are_found_by_parents_whatever_their_session() -> None:
    processes = {pid: Process(pid, parent) for pid, parent in [(2, 1), (3, 2), (4, 3), (5, 1), (6, 99)]}
    assert [process.pid for process in descendants(processes, 1)] == [2, 5, 3, 4]


def test_who_was_there_before_is_spared_with_its_children() -> None:
    processes = {pid: Process(pid, parent) for pid, parent in [(2, 1), (3, 2), (4, 3), (5, 1)]}
    assert [process.pid for process in descendants(processes, 1, but_not=[2])] == [5]


def test_the_warning_goes_to_the_programs_in_the_container_not_to_its_helpers() -> None:
    helper, init = Process(2, 1), Process(3, 2, nested=True, init=True)
    program, dead = Process(4, 3, nested=True), Process(5, 3, nested=True, zombie=True)
    assert programs([helper, init, program, dead]) == [program]


def test_without_a_pid_namespace_the_warning_goes_to_everybody() -> None:
    assert programs([Process(2, 1), Process(3, 2)]) == [Process(2, 1), Process(3, 2)]


@given(st.dictionaries(st.integers(2, 30), st.integers(1, 30), max_size=25))
def test_any_table_even_one_with_circles_has_finitely_many_descendants(parents: dict[int, int]) -> None:
    processes = {pid: Process(pid, parent) for pid, parent in parents.items()}
    found = [process.pid for process in descendants(processes, 1)]
    assert len(found) == len(set(found))
    assert all(parents[pid] == 1 or parents[pid] in found for pid in found)


def test_we_are_in_the_table_ourselves() -> None:
    assert table()[os.getpid()] == Process(os.getpid(), os.getppid())


def test_memory_is_seen() -> None:
    ours = [Process(os.getpid(), 1)]
    assert memory_kib(ours, enough_kib=10**9) > 5000
    assert 1000 < memory_kib(ours, enough_kib=0) <= memory_kib(ours, enough_kib=10**9) * 1.2


def test_who_is_gone_uses_no_memory() -> None:
    assert memory_kib([Process(2**22 + 1, 1)], enough_kib=0) == 0
