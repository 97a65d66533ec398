"""MPIs start their processes in two containers, with nothing between these but a network and our stand-in for ssh."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import Queue

import docker
import pytest
from acting import acting_as
from builders_executor import a_plan, a_planned_task
from docker.models.containers import Container
from mpi_image import PATH_OF_MPICH, ensure_mpi_image
from real_executor import SLOT_UID, open_directory

from prominence.executor import launch, mpi
from prominence.executor.launch import Errands

pytestmark = pytest.mark.timeout(900)  # the image is built once


class Node:
    """A container as a task's would be, and the directory that it sees as /tmp."""

    def __init__(self, engine: docker.DockerClient, image: str, network: str, name: str, directory: Path) -> None:
        self.tmp = directory / name
        self.tmp.mkdir()
        os.chown(self.tmp, SLOT_UID, SLOT_UID)
        with acting_as(SLOT_UID, SLOT_UID):
            self.errands = Errands(self.tmp)
        self.name = name
        self.container: Container = engine.containers.run(
            image,
            ["sleep", "600"],
            hostname=name,
            network=network,
            user=f"{SLOT_UID}:{SLOT_UID}",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            volumes={str(self.tmp): {"bind": "/tmp", "mode": "rw"}},
            labels={"prominence.test": "mpi"},
            detach=True,
            init=True,
        )
        self.container.reload()
        self.address = str(self.container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"])


@pytest.fixture
def nodes(engine: docker.DockerClient) -> Iterator[list[Node]]:
    image, name = ensure_mpi_image(engine), f"prominence-test-mpi-{uuid.uuid4().hex[:8]}"
    with ExitStack() as stack:
        directory = stack.enter_context(open_directory())
        network = engine.networks.create(name, labels={"prominence.test": "mpi"})
        stack.callback(network.remove)
        made = []
        for host in ("first", "second"):
            node = Node(engine, image, name, host, directory)
            stack.callback(node.container.remove, force=True, v=True)
            made.append(node)
        yield made


def _run_errands(first: Node, second: Node, over: threading.Event) -> None:
    ended: Queue[tuple[launch.Request, int]] = Queue()

    def run(request: launch.Request) -> None:
        ended.put((request, second.container.exec_run(["sh", "-c", request.command]).exit_code))

    started: list[Future[None]] = []
    with ThreadPoolExecutor() as at_once:  # whatever still runs at the end is waited for while its container lives
        while not over.wait(0.05):
            with acting_as(SLOT_UID, SLOT_UID):
                requests = list(first.errands.new())
                while not ended.empty():
                    first.errands.answer(*ended.get())
            for request in requests:
                assert request.host == second.address
                started.append(at_once.submit(run, request))
    for one in started:
        one.result()  # what went wrong in it is told


@pytest.mark.parametrize(
    ("kind", "program", "path"),
    [("openmpi", "ranks-openmpi", "/usr/bin:/bin"), ("mpich", "ranks-mpich", PATH_OF_MPICH)],
)
def test_the_ranks_of_one_program_are_on_both_nodes(nodes: list[Node], kind: str, program: str, path: str) -> None:
    first, second = nodes
    task = a_planned_task(command=(f"/usr/local/bin/{program}",), mpi=kind, processes=2)
    command = mpi.command(task, a_plan(task), ((first.name, 1), (second.address, 1)), first.address)
    over = threading.Event()
    helper = threading.Thread(target=_run_errands, args=(first, second, over))
    helper.start()
    try:
        environment = {**mpi.environment(launch.AGENT), "PATH": path, "HOME": "/tmp"}
        done = first.container.exec_run(["timeout", "120", *command], environment=environment, demux=True)
    finally:
        over.set()
        helper.join()
    printed = sorted((done.output[0] or b"").decode().splitlines())
    assert done.exit_code == 0, done.output
    assert printed == [f"rank {rank} of 4 on {'first' if rank < 2 else 'second'} sum 6" for rank in range(4)]
