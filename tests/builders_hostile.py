"""A scene to attack from: a pool with neighbours, an outside world, and an image with the attempts.

The image holds Python, its standard library and tests/hostile_attempts.py, made from this machine's own files.
"""

from __future__ import annotations

import io
import json
import re
import socket
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import hostile_attempts
from docker.models.containers import Container
from real_executor import PYTHON, Registry, trust
from real_parts import BUSYBOX, RealPool, ensure_tiny_image, gateway, new_pool, until

ATTACK = "/usr/bin/python3 /attempts.py"
IDENTITY = "/usr/bin/id"
_NEEDED = """
import glob, os, sys
sys.path.insert(0, sys.argv[1])
import encodings.idna, hostile_attempts
names = {module.__file__ for module in sys.modules.values() if getattr(module, "__file__", None)}
names |= set(glob.glob(os.path.dirname(encodings.__file__) + "/*.py"))
print(*[name for name in names if name != hostile_attempts.__file__])
"""
"""Prints the files of all modules that the attempts import. Those of codecs are looked for later, by name."""


PORT = 8099


@dataclass(frozen=True)
class World:
    """A machine beyond this one, at addresses that no other has and no other test of this machine uses.

    address: of those that are kept for documentation. metadata: a link-local one, as a cloud's metadata service has.
    """

    gateway: str
    address: str
    metadata: str


@dataclass(frozen=True)
class Verdict:
    """What became of an attempt."""

    runtime: str
    got: str | None
    why: str
    broken: str


@dataclass
class Scene:
    """A pool with one worker, its neighbours and the verdicts of all attempts, by runtime and name."""

    pool: RealPool
    task_network: str
    images: dict[str, str]
    neighbours: list[int] = field(default_factory=list)
    verdicts: dict[str, dict[str, Verdict]] = field(default_factory=dict)

    @property
    def worker(self) -> Container:
        """The only one."""
        (worker,) = self.pool.containers("worker")
        return worker

    def submit(self, runtime: str, *commands: str, **changes: Any) -> int:
        """A job of these commands in the hostile image."""
        task = {**self.task(runtime), **changes.pop("task", {})}
        resources = {"cpus": 1, "memory": 0.5, "disk": 1, **changes.pop("resources", {})}
        return self.pool.submit(*[{**task, "cmd": command} for command in commands], resources=resources, **changes)

    def task(self, runtime: str) -> dict[str, Any]:
        """One that runs with this runtime, without a command."""
        return {"image": self.images[runtime], "runtime": WISHES[runtime]}

    def finish(self, job: int, **changes: Any) -> dict[str, Any]:
        return self.pool.finish(job, **changes)


WISHES = {"docker": "docker", "apptainer": "singularity"}


@contextmanager
def a_scene(engine: docker.DockerClient, state: Path, task_network: str) -> Iterator[Scene]:
    """Everybody in their places, and all attempts made."""
    layer = hostile_layer()
    with ExitStack() as stack:
        image = stack.enter_context(an_image(engine, layer))
        limits = ["--idle-time", "600", "--max-workers", "1"]
        pool = new_pool(state, engine, *limits, "--task-network", task_network)
        stack.callback(pool.down, "--purge")
        pool.up()
        registry = HostileRegistry(_machine(engine), layer)
        stack.callback(registry.close)
        images = {"docker": image, "apptainer": f"{registry.host}/tiny:1"}
        scene = Scene(pool, task_network, images)
        targets = {"marker": str(uuid.uuid4().int % 10**9 + 10**9), "neighbours_ports": [7777, 7778]}
        scene.neighbours.append(_neighbour(scene, "docker", 5, targets))  # of the eight cores that a large worker has
        pool.wait_for(scene.neighbours[0], "running")
        trust(scene.worker, registry.host)
        scene.neighbours.append(_neighbour(scene, "apptainer", 1, targets))
        pool.wait_for(scene.neighbours[1], "running")
        world = stack.enter_context(the_world(engine))
        service = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
        _leave_something_behind(scene)
        targets |= {"machine_port": service.getsockname()[1], **_targets(scene, world)}
        _attack(scene, targets)
        yield scene


def _neighbour(scene: Scene, runtime: str, cpus: int, targets: dict[str, Any]) -> int:
    port = targets["neighbours_ports"][len(scene.neighbours)]  # Apptainer's may share the worker's network
    command = f"{ATTACK} --be-a-neighbour {port} {targets['marker']}"
    return scene.submit(runtime, command, resources={"cpus": cpus}, task={"env": {"NEIGHBOURS_TOKEN": "hidden"}})


def _leave_something_behind(scene: Scene) -> None:
    """By the accounts that the attackers will have."""
    jobs = [scene.submit(runtime, f"{ATTACK} --leave") for runtime in scene.images]
    for job in jobs:
        described = scene.finish(job)
        assert described["status"] == "completed", described
        assert "/tmp" in scene.pool.output(job)


def _attack(scene: Scene, targets: dict[str, Any]) -> None:
    task = {"env": {"TARGETS": json.dumps(targets)}}
    jobs = {runtime: scene.submit(runtime, ATTACK, task=task) for runtime in scene.images}
    for runtime, job in jobs.items():
        described = scene.finish(job)
        assert described["status"] == "completed", (described, scene.pool.output(job, "stderr"))
        said = [json.loads(line) for line in scene.pool.output(job).splitlines()]
        scene.verdicts[runtime] = {
            one["attempt"]: Verdict(runtime, one.get("got"), one.get("why", ""), one.get("broken", "")) for one in said
        }


def _targets(scene: Scene, world: World) -> dict[str, Any]:
    """All that the attempts aim at."""
    pool = scene.pool
    processes = scene.worker.exec_run(["ps", "-eo", "pid="]).output.split()
    outside = [process for line in scene.worker.top(ps_args="-eo pid")["Processes"] for process in line]
    return {
        "pool": f"prominence-{pool.name}",
        "world": [world.address],
        "metadata": [world.metadata],
        "port": PORT,
        "access_point": _addresses(pool, "access-point"),
        "imc": _addresses(pool, "imc"),
        "workers": _addresses(pool, "worker"),
        "neighbours": [*_addresses(pool, "task"), *_addresses(pool, "worker")],
        "machine": [_machine(pool.engine), gateway(pool.engine, f"prominence-{pool.name}")],
        "api_port": int(pool.url.split(":")[2].split("/")[0]),
        "state": str(pool.state),
        "pids": sorted({int(pid) for pid in (*processes, *outside)}),
    }


def _addresses(pool: RealPool, role: str) -> list[str]:
    """Of all containers of a role, on all their networks."""
    networks = [
        network for one in pool.containers(role) for network in one.attrs["NetworkSettings"]["Networks"].values()
    ]
    return [network["IPAddress"] for network in networks if network["IPAddress"]]


def _machine(engine: docker.DockerClient) -> str:
    """An address of this machine that containers have a way to, outside of any pool's network."""
    return gateway(engine)


@contextmanager
def the_world(engine: docker.DockerClient) -> Iterator[World]:
    """It has a web server at both of its addresses."""
    mark = uuid.uuid4()
    block = 4 * (mark.int % 64)
    metadata = f"169.254.{mark.bytes[0] % 160}.{1 + mark.bytes[1] % 254}"
    world = World(f"198.51.100.{block + 1}", f"198.51.100.{block + 2}", metadata)
    command = ["sh", "-c", f"mkdir /w; httpd -p {PORT} -h /w; httpd -f -p 80 -h /w"]
    labels = {"prominence.test": "hostile"}
    machine = engine.containers.run(ensure_tiny_image(engine), command, network_mode="none", detach=True, labels=labels)
    try:
        machine.reload()
        _connect(world, f"w{mark.hex[:8]}", str(machine.attrs["State"]["Pid"]))
        for address in (world.address, world.metadata):
            until(lambda address=address: _answers(address), 10)
        yield world
    finally:
        machine.remove(force=True)


def _connect(world: World, link: str, pid: str) -> None:
    """By a link of its own, which goes with the container."""
    inside = ["nsenter", "--net", "--target", pid, "ip"]
    for arguments in (
        ["ip", "link", "add", link, "type", "veth", "peer", "name", "out", "netns", pid],
        ["ip", "addr", "add", f"{world.gateway}/30", "dev", link],
        ["ip", "link", "set", link, "up"],
        [*inside, "addr", "add", f"{world.address}/30", "dev", "out"],
        [*inside, "addr", "add", f"{world.metadata}/32", "dev", "out"],
        [*inside, "link", "set", "out", "up"],
        [*inside, "route", "add", "default", "via", world.gateway],
        ["ip", "route", "add", f"{world.metadata}/32", "via", world.address],
    ):
        subprocess.run(arguments, check=True)


def _answers(address: str) -> bool:
    try:
        socket.create_connection((address, PORT), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def an_image(engine: docker.DockerClient, layer: bytes) -> Iterator[str]:
    """On the engine, under a name of its own."""
    repository, tag = "prominence-test/hostile", uuid.uuid4().hex[:8]
    engine.api.import_image_from_data(layer, repository=repository, tag=tag)
    try:
        yield f"{repository}:{tag}"
    finally:
        engine.images.remove(f"{repository}:{tag}", force=True)


def hostile_layer() -> bytes:
    """The image's one layer, as a tar archive. With Python: busybox for shells, and `id` as a setuid program."""
    files = _told(PYTHON, "-I", "-c", _NEEDED, str(Path(hostile_attempts.__file__).parent)).split()
    programs = (PYTHON, IDENTITY, *[file for file in files if file.endswith(".so")])
    libraries = {library for program in programs for library in _libraries(program)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as tar:
        for directory in ("bin", "dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "var", "var/tmp"):
            _add(tar, directory, tarfile.DIRTYPE, 0o1777 if directory.endswith("tmp") else 0o755)
        _add(tar, "etc/hostile-image", content=b"to see that a file can be read\n")
        tar.add(hostile_attempts.__file__, "attempts.py")
        tar.add(BUSYBOX, "bin/busybox")
        for applet in _told(str(BUSYBOX), "--list").split():
            if applet != "busybox":
                _add(tar, f"bin/{applet}", tarfile.SYMTYPE, link="busybox")
        tar.add(PYTHON, "usr/bin/python3")
        tar.add(IDENTITY, "usr/bin/setuid-id", filter=_setuid)
        for file in {*files, *libraries}:
            tar.add(file, file)
    return buffer.getvalue()


class HostileRegistry(Registry):
    """A registry whose `tiny:1` is the hostile image, for Apptainer."""

    def __init__(self, address: str, layer: bytes) -> None:
        self._layer = layer
        super().__init__(address)

    def layer(self, mark: str) -> bytes:
        return self._layer


def _add(
    tar: tarfile.TarFile,
    name: str,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    content: bytes = b"",
    link: str = "",
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(content), link
    tar.addfile(entry, io.BytesIO(content))


def _setuid(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mode, entry.uid, entry.gid = 0o6755, 0, 0
    return entry


def _libraries(program: str) -> list[str]:
    """Those that the dynamic linker loads with it."""
    return re.findall(r"(/\S+) \(0x", _told("ldd", program))


def _told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
