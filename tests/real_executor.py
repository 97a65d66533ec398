"""Real parts for the executor's tests: a registry, a broker, and the packed executor run as a slot's user would."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
from builders_executor import a_plan, a_planned_task
from docker.models.containers import Container
from patience import PATIENCE
from real_parts import RealPool, gateway

from prominence.cli.pool.recipes import ensure_images, forget_pulled
from prominence.core import document
from prominence.core.plan import (
    CREDENTIALS_FILE,
    STORAGE_FILE,
    Credentials,
    ExecutionPlan,
    RegistryCredential,
    StorageSecret,
)
from prominence.core.reasons import explain
from prominence.core.report import ExecutionReport
from prominence.executor import package

BUSYBOX = Path("/bin/busybox")
PYTHON = "/usr/bin/python3"  # that a slot's user can reach, whatever the tests themselves run with
SLOT_UID = 20001
DOCKER_SOCKET = Path("/var/run/docker.sock")


def processes_with(marker: str) -> list[int]:
    """Processes of this machine, in whatever container, with a word of their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def until(look: Any, timeout_s: float = 20) -> Any:
    """What `look` gives once it gives something true."""
    give_up_at = time.monotonic() + PATIENCE * timeout_s
    while not (found := look()):
        assert time.monotonic() < give_up_at, "it never came"
        time.sleep(0.02)
    return found


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that slot users can reach, which pytest's own are not."""
    directory = Path(tempfile.mkdtemp(prefix="prominence-test-"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


class Registry:
    """A registry on an address of this machine: `tiny:1`, which holds busybox; `locked`, which nobody gets.

    With a password, all of it is for `USER` alone.
    """

    USER = "robot"

    def __init__(self, address: str = "127.0.0.1", mark: str = "", password: str = "") -> None:
        """mark: something of its own in the image's layer, so that no engine has seen it before."""
        self.authorization = (
            f"Basic {base64.b64encode(f'{self.USER}:{password}'.encode()).decode()}" if password else ""
        )
        layer = self.layer(mark)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["sh", "-c", "echo the image\\'s own"], "Env": ["PATH=/bin", "FROM_IMAGE=yes"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
        self.requests: list[str] = []
        self.asked = threading.Event()
        self._released = threading.Event()
        self._released.set()
        self.blobs: dict[str, bytes] = {}
        self.breaks = 0
        """How many of the next large blobs break off in the middle."""
        self.claims = ""
        """The digest that it tells of every manifest, if not the right one, and under which it has one."""
        self.away = False
        """Whether it is there, but cannot do anything for anybody."""
        kind = "application/vnd.docker.container.image.v1+json"
        layer_kind = "application/vnd.docker.image.rootfs.diff.tar.gzip"
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self._blob(kind, json.dumps(config).encode()),
                "layers": [self._blob(layer_kind, gzip.compress(layer, mtime=0))],
            }
        ).encode()
        self._server = _Server((address, 0), _handler(self))
        self.host = f"{address}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def hold(self) -> None:
        """Let no blob come before `release`. asked: whether one was wanted since."""
        self.asked.clear()
        self._released.clear()

    def release(self) -> None:
        """Send what is and will be asked for."""
        self._released.set()

    @property
    def digest(self) -> str:
        """Of the image `tiny:1`."""
        return _digest(self.manifest)

    def layer(self, mark: str) -> bytes:
        """The image's only one, as a tar archive."""
        return busybox_layer(mark)

    def blob(self, digest: str) -> bytes:
        """What a blob holds, as it is sent."""
        self.asked.set()
        self._released.wait()
        return self.blobs[digest]

    def _blob(self, kind: str, content: bytes) -> dict[str, Any]:
        self.blobs[_digest(content)] = content
        return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Apptainer hangs up when it has what it needs: nothing to tell of."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class HeldRegistry(Registry):
    """One that holds its blobs from the beginning: a job that needs the image is being staged until `release`."""

    def __init__(self, mark: str) -> None:
        super().__init__(mark=mark)
        self.hold()


class Proxy:
    """A proxy, for who has its password, in a world of one registry."""

    HOST = "registry.local"
    """The registry's name, which nobody but the proxy knows. Apptainer takes a name in .local for one without TLS."""

    def __init__(self, address: str, registry: Registry) -> None:
        self.password = uuid.uuid4().hex
        credentials = base64.b64encode(f"user:{self.password}".encode()).decode()
        self._server = ThreadingHTTPServer((address, 0), _forwarding(registry, f"Basic {credentials}"))
        self.url = f"http://user:{self.password}@{address}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _forwarding(registry: Registry, credentials: str) -> type[BaseHTTPRequestHandler]:
    class Forwarding(_handler(registry)):  # type: ignore[misc]  # a class made at run time
        def _content(self) -> tuple[int, str, bytes]:
            if self.headers.get("Proxy-Authorization") != credentials:
                return 407, "text/plain", b"a password is needed"
            self.path = self.path.removeprefix(f"http://{Proxy.HOST}")
            return super()._content()  # type: ignore[no-any-return]

    return Forwarding


def trust(worker: Container, host: str) -> None:
    """Let Apptainer on this worker use a registry without TLS, as an administrator would."""
    text = f'[[registry]]\nlocation = "{host}"\ninsecure = true\n'.encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("etc/containers/registries.conf")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    worker.put_archive("/", archive.getvalue())


@contextmanager
def trusted_registry(pool: RealPool, image: str) -> Iterator[Registry]:
    """A registry that the only worker trusts."""
    with only_worker(pool, image) as worker:
        registry = Registry(gateway(pool.engine))
        trust(worker, registry.host)
        yield registry
        registry.close()


@contextmanager
def only_worker(pool: RealPool, image: str) -> Iterator[Container]:
    """A worker that stays meanwhile, since a job of this image runs on it, and has room for three small ones."""
    large = {"cpus": 5, "memory": 1, "disk": 1}
    keeper = pool.submit({"image": image, "cmd": "sleep 1200", "runtime": "docker"}, resources=large)
    pool.wait_for(keeper, "running")
    name = pool.describe(keeper)["execution"]["worker"]
    until(lambda: len(pool.containers("worker")) == 1, 60)
    (worker,) = (one for one in pool.containers("worker") if one.labels["prominence.worker"] == name)
    yield worker
    pool.request("DELETE", f"/jobs/{keeper}")
    pool.finish(keeper)


LARGE = 100_000
"""Bytes that no manifest and no configuration has."""
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, with_body: bool) -> None:
            status, kind, body = self._content()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", registry.claims or _digest(body))
            if status == 401 and registry.authorization:
                self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.end_headers()
            if with_body and registry.breaks and len(body) > LARGE:
                registry.breaks -= 1
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
            elif with_body:
                self.wfile.write(body)

        def _content(self) -> tuple[int, str, bytes]:
            what = self.path.rpartition("/")[2]
            registry.requests.append(self.path)
            if registry.away:
                return 503, "text/plain", b"later"
            if registry.authorization and self.headers.get("Authorization") != registry.authorization:
                return 401, "application/json", _error("UNAUTHORIZED", "authentication required")
            if self.path == "/v2/":
                return 200, "application/json", b"{}"
            if "/locked/" in self.path:
                return 401, "application/json", _error("UNAUTHORIZED", "authentication required")
            if "/blobs/" in self.path and what in registry.blobs:
                return 200, "application/octet-stream", registry.blob(what)
            if self.path.startswith("/v2/tiny/manifests/") and what in (
                "1",
                _digest(registry.manifest),
                registry.claims,
            ):
                return 200, MANIFEST, registry.manifest
            return 404, "application/json", _error("MANIFEST_UNKNOWN", "manifest unknown")

        def log_message(self, format: str, *args: Any) -> None:
            """Not on the tests' output."""

    return Handler


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def busybox_layer(mark: str = "") -> bytes:
    """An image's layer that holds busybox, and an app as Apptainer knows them, called greet."""
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for directory, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o755), ("var", 0o755), ("var/tmp", 0o1777)):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        tar.add(BUSYBOX, "bin/busybox")
        for applet in applets:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            if applet != "busybox":
                tar.addfile(link)
        for path, text in (("scif/runscript", "echo greetings"), ("bin/hello", 'echo hello "$@"')):
            script = f"#!/bin/sh\n{text}\n".encode()
            entry = tarfile.TarInfo(f"scif/apps/greet/{path}")
            entry.mode, entry.size = 0o755, len(script)
            tar.addfile(entry, io.BytesIO(script))
        if mark:
            tar.addfile(tarfile.TarInfo(f"etc/{mark}"))
    return archive.getvalue()


class BrokerProcess:
    """A broker as a worker's condor_master would start it; root's, with the Docker engine of this machine."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.directory = directory
        self.pool = f"test-{uuid.uuid4().hex[:8]}"
        self.socket = directory / "broker.sock"
        self.tasks_dir = directory / "tasks"
        self.log = directory / "broker.log"
        self._file = directory / "broker.pyz"
        self._file.write_bytes(package.build("broker.main"))
        self._settings = {
            "pool": self.pool,
            "worker": "worker-1",
            "docker_socket": str(DOCKER_SOCKET),
            "tasks_dir": str(self.tasks_dir),
            "listen": str(self.socket),
            "log_file": str(self.log),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.launch()
        until(self.socket.exists)

    def launch(self) -> None:
        config = self.directory / "broker.json"
        config.write_text(json.dumps(self._settings))
        command = [PYTHON, "-I", "-S", str(self._file)]
        self._process = subprocess.Popen(command, env={"PROMINENCE_BROKER_CONFIG": str(config)})

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        assert self._process is not None
        exit_code = self._process.wait(30 * PATIENCE)
        self._process = None
        return exit_code

    @contextmanager
    def running(self) -> Iterator[BrokerProcess]:
        """Started, and stopped at the end whatever happened to it meanwhile."""
        self.start()
        try:
            yield self
        finally:
            if self._process is not None:
                self.stop()
            # What it has pulled for jobs is the test's, under its own name.
            with closing(docker.from_env()) as engine:
                forget_pulled(engine, self.pool)

    def containers(self, engine: docker.DockerClient) -> list[Container]:
        label = [f"prominence.pool={self.pool}", "prominence.role=task"]
        return list(engine.containers.list(all=True, filters={"label": label}, ignore_removed=True))

    def images(self, engine: docker.DockerClient) -> list[Any]:
        """Those of its jobs' files, as the engine lists them."""
        label = [f"prominence.pool={self.pool}", "prominence.role=image"]
        return list(engine.api.images(all=True, filters={"label": label}))

    def sessions(self) -> list[Path]:
        return [path for path in self.tasks_dir.iterdir() if path.is_dir()]


@dataclass(frozen=True)
class Attempt:
    """What is left when the executor has ended."""

    exit_code: int
    stdout: str
    stderr: str
    report: ExecutionReport

    @property
    def sentence(self) -> str:
        """What a user is shown."""
        assert self.report.reason is not None
        return explain(self.report.reason, **self.report.details)


class Job:
    """The executor at work on a plan, in a sandbox of its own."""

    def __init__(
        self,
        bench: Bench,
        plan: ExecutionPlan,
        credentials: Sequence[RegistryCredential | None] = (),
        storage_secret: str | None = None,
    ) -> None:
        self._bench = bench
        self.sandbox = bench.new_sandbox()
        (self.sandbox / "plan.json").write_text(document.dumps(plan))
        if credentials:
            (self.sandbox / CREDENTIALS_FILE).write_text(document.dumps(Credentials(tuple(credentials))))
        if storage_secret is not None:
            (self.sandbox / STORAGE_FILE).write_text(document.dumps(StorageSecret(storage_secret)))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Job:
        with open(self.sandbox / "stdout", "wb") as out, open(self.sandbox / "stderr", "wb") as err:
            self._process = self._bench.launch(self.sandbox, out, err, "plan.json")
        return self

    def signal(self, number: signal.Signals) -> None:
        """As HTCondor's starter does."""
        pid = until(lambda: (self.sandbox / "pid").exists() and (self.sandbox / "pid").read_text().strip())
        self._bench.signal(int(pid), number)

    def wait(self, timeout_s: float = 60) -> int:
        """Until the executor has ended; what with, below 0 where it was by a signal."""
        assert self._process is not None
        return self._process.wait(timeout_s * PATIENCE)

    def finish(self, timeout_s: float = 60) -> Attempt:
        exit_code = self.wait(timeout_s)
        return Attempt(exit_code, self.stdout(), (self.sandbox / "stderr").read_text(), self.report())

    def stdout(self) -> str:
        return (self.sandbox / "stdout").read_text()

    def report(self) -> ExecutionReport:
        return document.loads(ExecutionReport, (self.sandbox / "report.json").read_text())


# The shell leaves its process to the executor, and its number where the test finds it.
_LAUNCH = f'echo $$ > pid; exec {PYTHON} -I -S "$0" "$@"'


class Bench:
    """This machine with a way to run containers on it, as a slot's user meets it."""

    runtime = "docker"

    def __init__(self, directory: Path, registry: Registry, groups: list[int], environment: dict[str, str]) -> None:
        self.directory = directory
        self.registry = registry
        self.disk_kib = 1024 * 1024
        self.groups = groups
        self._environment = environment
        self.executor = directory / "executor.pyz"
        self.executor.write_bytes(package.build())
        self.executor.chmod(0o755)

    def image(self, name: str = "tiny:1") -> str:
        return f"{self.registry.host}/{name}"

    def task(self, *command: str, **changes: Any) -> Any:
        """A task of this runtime, in a shell where one word is given."""
        words = ("sh", "-c", *command) if len(command) == 1 else command
        return a_planned_task(**{"image": self.image(), "runtimes": (self.runtime,), "command": words, **changes})

    def job(
        self,
        *tasks: Any,
        credentials: Sequence[RegistryCredential | None] = (),
        storage_secret: str | None = None,
        **changes: Any,
    ) -> Job:
        """Tasks given as text are shell scripts."""
        planned = [self.task(task) if isinstance(task, str) else task for task in tasks]
        plan = a_plan(*planned, **{"memory_mib": 100, "grace_s": 1, **changes})
        return Job(self, plan, credentials, storage_secret)

    def run(self, *tasks: Any, **changes: Any) -> Attempt:
        return self.job(*tasks, **changes).start().finish()

    def new_sandbox(self) -> Path:
        """As HTCondor's starter makes it."""
        sandbox = self.directory / f"dir_{uuid.uuid4().hex[:8]}"
        sandbox.mkdir(mode=0o755)
        (sandbox / ".machine.ad").write_text(f"Cpus = 2\nMemory = 200\nDisk = {self.disk_kib}\n")
        os.chown(sandbox, SLOT_UID, SLOT_UID)
        return sandbox

    def promised(self) -> list[str]:
        """The runtimes that the executor says work here."""
        sandbox = self.new_sandbox()
        with open(sandbox / "stdout", "wb") as out, open(sandbox / "stderr", "wb") as err:
            assert self.launch(sandbox, out, err, "--runtimes").wait(60) == 0
        return (sandbox / "stdout").read_text().split()

    def launch(self, sandbox: Path, out: Any, err: Any, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["/bin/sh", "-c", _LAUNCH, str(self.executor), *arguments],
            cwd=sandbox,
            env=self._environment,
            stdout=out,
            stderr=err,
            user=SLOT_UID,
            group=SLOT_UID,
            extra_groups=self.groups,
        )

    def signal(self, pid: int, number: signal.Signals) -> None:
        os.kill(pid, number)


class WorkerBench(Bench):
    """The same in a container of the worker's image, where Apptainer is."""

    runtime = "apptainer"

    def __init__(
        self, directory: Path, registry: Registry, container: Container, environment: dict[str, str] | None = None
    ) -> None:
        super().__init__(directory, registry, [], environment or {})
        self._container = container

    def launch(self, sandbox: Path, out: Any, err: Any, *arguments: str) -> subprocess.Popen[bytes]:
        user = f"{SLOT_UID}:{SLOT_UID}"
        environment = [f"--env={name}={value}" for name, value in self._environment.items()]
        command = ["docker", "exec", "--user", user, "--workdir", str(sandbox), *environment, str(self._container.id)]
        command += ["/bin/sh", "-c", _LAUNCH, str(self.executor), *arguments]
        return subprocess.Popen(command, stdout=out, stderr=err)

    def signal(self, pid: int, number: signal.Signals) -> None:
        done = self._container.exec_run(["kill", f"-{int(number)}", str(pid)])
        assert done.exit_code == 0


def a_sif(engine: docker.DockerClient, archive: bytes) -> bytes:
    """What Apptainer builds, as an ordinary user, of what docker has saved."""
    with open_directory() as directory:
        (directory / "image.tar").write_bytes(archive)
        os.chown(directory, SLOT_UID, SLOT_UID)
        places = ("HOME", "TMPDIR", "APPTAINER_TMPDIR", "APPTAINER_CACHEDIR")
        engine.containers.run(
            ensure_images(engine, lambda line: None, None)["worker"],
            ["apptainer", "build", "image.sif", "docker-archive:image.tar"],
            user=f"{SLOT_UID}:{SLOT_UID}",
            working_dir=str(directory),
            environment={name: str(directory) for name in places},
            cap_add=["SYS_ADMIN"],
            security_opt=["seccomp=unconfined"],
            volumes={str(directory): {"bind": str(directory), "mode": "rw"}},
            network_mode="none",
            remove=True,
        )
        return (directory / "image.sif").read_bytes()


class WorkerBroker:
    """A broker in a container of a worker's image, as its condor_master would start it, without a Docker engine."""

    IMAGES = "/var/lib/prominence/images"

    def __init__(self, container: Container, directory: Path, **settings: Any) -> None:
        self.socket = directory / "broker.sock"
        self.log = directory / "broker.log"
        self._container = container
        self._file = directory / "broker.pyz"
        self._file.write_bytes(package.build("broker.main"))
        self._config = directory / "broker.json"
        self.settings = {
            "pool": "test",
            "worker": "worker-1",
            "tasks_dir": str(directory / "tasks"),
            "images_dir": self.IMAGES,
            "listen": str(self.socket),
            "log_file": str(self.log),
            "sessions_per_uid": 1000,
            **settings,
        }

    def start(self) -> None:
        """It listens when this returns."""
        self.socket.unlink(missing_ok=True)
        self._config.write_text(json.dumps(self.settings))
        environment = f"--env=PROMINENCE_BROKER_CONFIG={self._config}"
        command = ["docker", "exec", "--detach", environment, str(self._container.id), PYTHON, "-I", "-S"]
        subprocess.run([*command, str(self._file)], check=True)
        until(self.socket.exists)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait for its end."""
        for pid in processes_with(str(self._file)):
            os.kill(pid, number)
        until(lambda: not processes_with(str(self._file)))

    def kept(self) -> list[str]:
        """The images that are there."""
        listed = self._container.exec_run(["ls", "-A", self.IMAGES]).output.decode().split()
        return [name for name in listed if name != "builds"]

    def building(self) -> list[int]:
        """Processes of the accounts that make images."""
        uids = range(20257, 20261)
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and entry.stat().st_uid in uids:
                    found.append(int(entry.name))
            except OSError:
                continue
        return found


@contextmanager
def worker_container(
    engine: docker.DockerClient, image: str, directory: Path, registry: Registry, prepared: bool = True
) -> Iterator[Container]:
    """A container of a worker's image without HTCondor. prepared: as a worker's start does for Apptainer."""
    preparation = (
        "chmod 0666 /dev/fuse && mkdir -p -m 0700 /run/prominence/private/proc"
        " && mount -t proc proc /run/prominence/private/proc && mkdir -p /etc/containers"
        f" && printf '[[registry]]\\nlocation = \"{registry.host}\"\\ninsecure = true\\n'"
        " > /etc/containers/registries.conf"
    )
    container = engine.containers.run(
        image,
        ["sh", "-c", f"{preparation if prepared else ':'} && exec sleep infinity"],
        detach=True,
        init=True,
        network_mode="host",
        cap_add=["SYS_ADMIN"],
        security_opt=["seccomp=unconfined"],
        devices=["/dev/fuse:/dev/fuse:rwm"],
        volumes={str(directory): {"bind": str(directory), "mode": "rw"}},
        labels={"prominence.test": "executor"},
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)
