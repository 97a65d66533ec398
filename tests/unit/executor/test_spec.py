from __future__ import annotations

from typing import Any

from builders_executor import a_run
from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.broker import spec
from prominence.executor.broker.engine import Host
from prominence.executor.broker.settings import Settings
from prominence.executor.broker.spec import Peer, Place

PEER = Peer(pid=99, uid=20001, gid=20002)
PLACE = Place("/tasks/s/home", "/tasks/s/tmp")
HOST = Host(cpus=2, memory_mib=8000)


def a_spec(settings: Settings | None = None, slot: Host | None = None, **changes: Any) -> dict[str, Any]:
    settings = settings or Settings(pool="p", worker="w")
    return spec.container(a_run(**changes), PEER, PLACE, "s1", HOST, spec.most(HOST, slot, settings), settings)


def test_a_container_runs_as_who_asked_with_no_rights_and_no_network() -> None:
    wanted = a_spec()
    host_config = wanted["HostConfig"]
    assert wanted["User"] == "20001:20002"
    assert host_config["CapDrop"] == ["ALL"]
    assert host_config["SecurityOpt"] == ["no-new-privileges:true"]
    assert host_config["NetworkMode"] == "none"
    assert host_config["PidsLimit"] == 4096
    assert not {"Privileged", "CapAdd", "Devices", "PidMode", "Binds"} & set(host_config)


def test_one_that_speaks_with_other_nodes_is_on_the_workers_network_in_a_group_of_its_own() -> None:
    settings = Settings(pool="p", worker="w", worker_network="container:w-1", task_network="tasks")
    wanted = a_spec(settings, between_nodes=True)
    assert (wanted["User"], wanted["HostConfig"]["NetworkMode"]) == ("20001:20300", "container:w-1")
    assert (a_spec(settings)["User"], a_spec(settings)["HostConfig"]["NetworkMode"]) == ("20001:20002", "tasks")


def test_it_sees_the_sessions_directories_only() -> None:
    mounts = {(mount["Source"], mount["Target"]) for mount in a_spec()["HostConfig"]["Mounts"]}
    assert mounts == {("/tasks/s/home", "/home/user"), ("/tasks/s/tmp", "/tmp")}


def test_it_sees_the_sessions_further_directories_where_it_asks_for_them() -> None:
    place = Place("/tasks/s/home", "/tasks/s/tmp", ("/tasks/s/mount-0",))
    settings = Settings(pool="p", worker="w")
    for asked in (("/data",), ("/data", "/more-than-there-are")):
        run = a_run(targets=asked)
        wanted = spec.container(run, PEER, place, "s1", HOST, spec.most(HOST, None, settings), settings)
        mounts = [(mount["Source"], mount["Target"]) for mount in wanted["HostConfig"]["Mounts"]]
        assert mounts[2:] == [("/tasks/s/mount-0", "/data")]


def test_it_is_found_again_by_its_labels() -> None:
    assert a_spec()["Labels"] == {
        "prominence.pool": "p",
        "prominence.worker": "w",
        "prominence.role": "task",
        "prominence.session": "s1",
    }


def test_swap_is_no_way_around_the_memory_limit() -> None:
    host_config = a_spec(memory_mib=100)["HostConfig"]
    assert host_config["Memory"] == host_config["MemorySwap"] == 100 * 1024 * 1024


def test_cores_beyond_the_hosts_are_weight_only() -> None:
    host_config = a_spec(Settings(pool="p", cpus=8), cpus=8)["HostConfig"]
    assert (host_config["NanoCpus"], host_config["CpuShares"]) == (2 * 10**9, 8 * 1024)


@given(st.integers(1, 10**9), st.integers(6, 10**12), st.integers(0, 64), st.integers(0, 10**6))
def test_whatever_is_asked_for_the_workers_size_is_the_most(
    cpus: int, memory_mib: int, worker_cpus: int, worker_memory_mib: int
) -> None:
    settings = Settings(pool="p", cpus=worker_cpus, memory_mib=worker_memory_mib)
    host_config = a_spec(settings, cpus=cpus, memory_mib=memory_mib)["HostConfig"]
    assert host_config["NanoCpus"] <= HOST.cpus * 10**9
    assert host_config["CpuShares"] <= (worker_cpus or HOST.cpus) * 1024
    assert host_config["Memory"] <= min(worker_memory_mib or HOST.memory_mib, HOST.memory_mib) * 1024 * 1024


@given(st.integers(1, 10**9), st.integers(6, 10**12), st.integers(1, 64), st.integers(6, 10**6))
def test_whatever_is_asked_for_the_slots_part_is_the_most(
    cpus: int, memory_mib: int, slot_cpus: int, slot_memory_mib: int
) -> None:
    # The worker's own size is more: it does not count then.
    settings = Settings(pool="p", cpus=1000, memory_mib=10**9)
    host_config = a_spec(settings, Host(slot_cpus, slot_memory_mib), cpus=cpus, memory_mib=memory_mib)["HostConfig"]
    assert host_config["NanoCpus"] <= min(slot_cpus, HOST.cpus) * 10**9
    assert host_config["CpuShares"] <= slot_cpus * 1024
    assert host_config["Memory"] <= min(slot_memory_mib, HOST.memory_mib) * 1024 * 1024


def test_the_command_replaces_the_images_own_where_there_is_one() -> None:
    assert (a_spec(command=("a", "b"))["Entrypoint"], a_spec(command=("a",))["Cmd"]) == (["a", "b"], [])
    assert "Entrypoint" not in a_spec(command=())


def test_the_parent_of_its_cgroup_is_set_where_the_worker_has_one() -> None:
    settings = Settings(pool="p", cgroup_parent="/prominence/w")
    assert a_spec(settings)["HostConfig"]["CgroupParent"] == "/prominence/w"
    assert "CgroupParent" not in a_spec()["HostConfig"]


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_root_and_who_is_no_slot_user_has_no_session(uid: int, gid: int) -> None:
    settings = Settings(pool="p", uid_min=20001, uid_max=20256)
    allowed = spec.may_have_a_session(Peer(1, uid, gid), settings)
    assert allowed == (20001 <= uid <= 20256 and gid != 0)
