"""The disk of the state fills up: new work is refused in time, and a disk without a byte loses nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from real_parts import RealPool, new_pool, until

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(1200)]

MIB = 1024 * 1024


class SmallDisk:
    """An ext4 file system of 3 GiB in a file that takes up what is in use. To be mounted by root."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "disk"
        self._image = folder / "disk.img"
        self._ballast = [self.place / "ballast", self.place / "rest"]

    def mount(self) -> None:
        self.place.mkdir()
        with self._image.open("wb") as image:
            image.truncate(3 * 1024 * MIB)
        # Without a part that only root may fill.
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", self._image], check=True)
        subprocess.run(["mount", "-o", "loop", self._image, self.place], check=True)

    def unmount(self) -> None:
        self.relieve()
        subprocess.run(["umount", self.place], check=True)

    def free(self) -> int:
        """In bytes."""
        disk = os.statvfs(self.place)
        return disk.f_bavail * disk.f_frsize

    def leave(self, free_mib: int) -> None:
        """Fill it but for this."""
        with self._ballast[0].open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free() - free_mib * MIB)

    def fill(self) -> None:
        """Take every byte that is free now."""
        with self._ballast[1].open("ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass  # it is full

    def relieve(self) -> None:
        """Make room again."""
        for file in self._ballast:
            file.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Mounted while the test lasts."""
    disk = SmallDisk(tmp_path)
    disk.mount()
    yield disk
    disk.unmount()


@pytest.fixture
def cramped(disk: SmallDisk, engine: docker.DockerClient) -> Iterator[RealPool]:
    """A pool whose state is on that disk."""
    real = new_pool(disk.place, engine, "--idle-time", "3", "--max-workers", "1")
    try:
        real.up()
        yield real
    finally:
        disk.relieve()
        real.down("--purge")


def test_new_work_is_refused_in_time_and_a_full_disk_loses_nothing(
    cramped: RealPool, disk: SmallDisk, tiny_image: str
) -> None:
    running = [_submit(cramped, tiny_image, f"sh -c 'sleep 15; echo {number}'") for number in range(2)]
    for job in running:
        cramped.wait_for(job, "running")
    queued = [_submit(cramped, tiny_image, f"echo {number}") for number in (2, 3)]
    jobs = [*running, *queued]

    disk.leave(500)
    refused = cramped.request("POST", "/jobs", json={"tasks": [{"image": tiny_image}], "resources": {"cpus": 1}})
    assert refused.status_code == 507
    assert "1024 MiB are kept for the jobs that it has" in refused.json()["error"]
    assert "has to make room" in refused.json()["error"]
    assert sorted(job["id"] for job in cramped.request("GET", "/jobs", params={"all": "true"}).json()) == jobs
    assert cramped.describe(running[0])["status"] == "running"
    said = cramped.run("pool", "status", "--name", cramped.name, check=False)
    assert "Remove something from that disk" in said.stdout

    # HTCondor's daemons end when they cannot write their logs; the jobs' tasks go on, and end while nothing works.
    disk.leave(5)
    until(lambda: disk.fill() or cramped.containers("access-point")[0].attrs["RestartCount"], 120)
    until(lambda: disk.fill() or not cramped.containers("task"), 120)

    disk.relieve()
    cramped.up()
    for job in jobs:
        described = cramped.finish(job, timeout_s=180)
        assert described["status"] == "completed", described
    until(lambda: [cramped.output(job) for job in jobs] == [f"{number}\n" for number in range(4)], 60)
    records = _history(cramped)
    assert sorted(record["ClusterId"] for record in records) == jobs
    assert {record["ExitCode"] for record in records} == {0}
    assert cramped.finish(_submit(cramped, tiny_image, "echo again"))["status"] == "completed"


def _submit(pool: RealPool, image: str, command: str) -> int:
    return pool.submit({"image": image, "cmd": command, "runtime": "docker"})


def _history(pool: RealPool) -> list[dict[str, Any]]:
    said = pool.inside("access-point", "condor_history", "-json", "-attributes", "ClusterId,ExitCode")
    records: list[dict[str, Any]] = json.loads(said)
    return records
