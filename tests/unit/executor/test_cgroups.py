"""What the kernel tells of a container, where docker's and podman's engines have it keep that."""

from __future__ import annotations

from pathlib import Path

import pytest

from prominence.executor import cgroups
from prominence.executor.usage import Usage

CONTAINER = "5" * 64
MIB = 1024 * 1024


def written(directory: Path, files: dict[str, str]) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory


def of_version_1(root: Path, name: str = f"docker/{CONTAINER}") -> None:
    written(root / "cpuacct" / name, {"cpuacct.usage": "1500000000\n"})
    stat = f"cache 0\nrss 1\ntotal_cache {4 * MIB}\ntotal_rss {2 * MIB}\ntotal_mapped_file {MIB}\n"
    written(root / "memory" / name, {"memory.max_usage_in_bytes": f"{9 * MIB}\n", "memory.stat": stat})


def of_version_2(root: Path, name: str, **more: str) -> Path:
    written(root, {"cgroup.controllers": "cpu memory\n"})
    stat = f"anon {2 * MIB}\nfile {4 * MIB}\nfile_mapped {MIB}\n"
    files = {"cpu.stat": "usage_usec 1500000\nuser_usec 1\n", "memory.current": "1\n", "memory.stat": stat, **more}
    return written(root / name, files)


@pytest.mark.parametrize("name", [f"docker/{CONTAINER}", f"system.slice/docker-{CONTAINER}.scope"])
def test_version_1_is_read_whatever_drives_it(tmp_path: Path, name: str) -> None:
    of_version_1(tmp_path, name)
    found = cgroups.place(CONTAINER, tmp_path)
    assert found is not None
    assert found.figures() == Usage(1.5, 3 * 1024, 6 * 1024)


def test_version_2_is_read_and_podmans_monitor_is_not_the_container(tmp_path: Path) -> None:
    slices = "user.slice/user-1000.slice/user@1000.service/user.slice"
    of_version_2(tmp_path, f"{slices}/libpod-conmon-{CONTAINER}.scope", **{"memory.peak": "1"})
    of_version_2(tmp_path, f"{slices}/libpod-{CONTAINER}.scope", **{"memory.peak": f"{9 * MIB}\n"})
    found = cgroups.place(CONTAINER, tmp_path)
    assert found is not None
    assert (found.cpu.name, found.figures()) == (f"libpod-{CONTAINER}.scope", Usage(1.5, 3 * 1024, 6 * 1024))


def test_where_the_kernel_keeps_no_peak_it_is_what_was_seen(tmp_path: Path) -> None:
    of_version_2(tmp_path, f"docker-{CONTAINER}.scope")
    found = cgroups.place(CONTAINER, tmp_path)
    assert found is not None
    assert found.figures() == Usage(1.5, 3 * 1024, 3 * 1024)


def test_what_is_not_there_or_goes_meanwhile_is_unknown(tmp_path: Path) -> None:
    assert cgroups.place(CONTAINER, tmp_path) is None
    directory = of_version_2(tmp_path, f"docker-{CONTAINER}.scope")
    found = cgroups.place(CONTAINER, tmp_path)
    assert found is not None
    (directory / "memory.stat").unlink()
    assert (found.figures(), found.first_process()) == (None, None)


def test_of_a_container_that_never_starts_nothing_is_known(tmp_path: Path) -> None:
    followed = cgroups.Followed(CONTAINER, tmp_path)
    assert (followed.now(), followed.end(), followed.end()) == (None, None, None)
