"""Real parts for tests: a personal pool of its own, a tiny image, the published client, Snakemake."""

from __future__ import annotations

import io
import ipaddress
import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import docker
import jwt
import requests
import tomli_w
from docker.models.containers import Container
from patience import PATIENCE

from prominence.cli.pool.site import cache
from prominence.cli.turns import one_at_a_time
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.imc.records import Record, Records

BUSYBOX = Path("/bin/busybox")
TINY_IMAGE = "prominence-test/busybox:1"
PUBLISHED_CLIENT = "0.21.0"
SNAKEMAKE = "9.27.1"
MAIL_TO = "user@example.org"
"""Of the user of the pool that tests share."""


def ensure_tiny_image(engine: docker.DockerClient) -> str:
    """Debian's static busybox as an image of one layer, made on this machine."""
    with one_at_a_time(cache() / "tiny-image.lock"):
        if not engine.images.list(name=TINY_IMAGE):
            _make_tiny_image(engine)
    return TINY_IMAGE


def _make_tiny_image(engine: docker.DockerClient) -> None:
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(BUSYBOX, "bin/busybox")
        for applet in applets:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            if applet != "busybox":
                tar.addfile(link)
    engine.api.import_image_from_data(
        archive.getvalue(), repository=TINY_IMAGE.split(":")[0], tag=TINY_IMAGE.split(":")[1]
    )


def published_client() -> Path:
    """The published client's command, in an environment of its own: it and ours must not share one."""
    environment = cache() / f"published-client-{PUBLISHED_CLIENT}"
    command = environment / "bin" / "prominence"
    with one_at_a_time(cache() / "published-client.lock"):
        if not command.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
            pip = [environment / "bin" / "python", "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, f"prominence=={PUBLISHED_CLIENT}"], check=True)
    return command


def snakemake() -> Path:
    """Snakemake's command, in an environment of its own that has what our client needs, too."""
    environment = cache() / f"snakemake-{SNAKEMAKE}"
    with one_at_a_time(cache() / "snakemake.lock"):
        if not (environment / "complete").exists():
            needs = [
                one for one in requires("prominence-htc") or () if "extra ==" not in one or 'extra == "cli"' in one
            ]
            subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
            pip = [environment / "bin" / "python", "-m", "pip", "install", "--quiet"]
            words = [one.partition(";")[0].strip() for one in needs]
            subprocess.run([*pip, f"snakemake=={SNAKEMAKE}", *words], check=True)
            (environment / "complete").touch()
    return environment / "bin" / "snakemake"


@dataclass
class RealPool:
    """A personal pool for tests, driven by our own command as a user would."""

    name: str
    home: Path
    engine: docker.DockerClient
    url: str = ""
    token: str = ""
    options: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """The pool's state directory."""
        return self.home / "prominence" / self.name

    def environment(self) -> dict[str, str]:
        """Of a user of this pool."""
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("PROMINENCE_")},
            "XDG_STATE_HOME": str(self.home),
            "PROMINENCE_URL": self.url,
            "PROMINENCE_TOKEN": self.token,
        }

    def run(self, *arguments: str, check: bool = True, **changes: Any) -> subprocess.CompletedProcess[str]:
        """Our command, as a process."""
        command = [str(Path(sys.executable).with_name("prominence")), *arguments]
        options: dict[str, Any] = {"capture_output": True, "text": True, "env": self.environment(), **changes}
        done = subprocess.run(command, check=False, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def up(self, *options: str) -> None:
        """Bring it up; afterwards url and token are those of its user."""
        self.run("pool", "up", "--name", self.name, *self.options, *options)
        for line in (self.state / "env").read_text().splitlines():
            key, _, value = line.partition("=")
            if key == "PROMINENCE_URL":
                self.url = value
            elif key == "PROMINENCE_TOKEN":
                self.token = value

    def down(self, *options: str) -> None:
        """Take it down."""
        self.run("pool", "down", "--name", self.name, *options)

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """A request to the API with the user's token."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **options)

    def submit(self, *tasks: dict[str, Any], **changes: Any) -> int:
        """A job of these tasks; its id."""
        job = {"tasks": list(tasks), "resources": {"cpus": 1, "memory": 0.2, "disk": 0.1}, **changes}
        answer = self.request("POST", "/jobs", json=job)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def submit_array(self, count: int, *tasks: dict[str, Any], **changes: Any) -> int:
        """An array of so many jobs of these tasks; its id."""
        job = {"tasks": list(tasks), "resources": {"cpus": 1, "memory": 0.2, "disk": 0.1}, **changes}
        answer = self.request("POST", "/arrays", json={"count": count, "job": job})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def describe(self, job: int | str) -> dict[str, Any]:
        """The job as the API describes it."""
        return _only_one(self.request("GET", f"/jobs/{job}"))

    def wait_for(self, job: int | str, *statuses: str, timeout_s: float = 120) -> dict[str, Any]:
        """The job once it has one of these statuses."""
        return until(lambda: self._has_status(job, statuses), timeout_s, lambda: f"job {job}: {self.describe(job)}")

    def finish(self, job: int | str, timeout_s: float = 120) -> dict[str, Any]:
        """The job once it has ended."""
        return self.wait_for(job, "completed", "failed", "deleted", "killed", timeout_s=timeout_s)

    def output(self, job: int | str, stream: str = "stdout") -> str:
        """All that the job has printed."""
        return self.request("GET", f"/jobs/{job}/{stream}").content.decode()

    def containers(self, role: str) -> list[Container]:
        """The pool's containers of a role."""
        labels = [f"prominence.pool={self.name}", f"prominence.role={role}"]
        return list(self.engine.containers.list(all=True, filters={"label": labels}, ignore_removed=True))

    def tasks_of(self, job: int) -> list[Container]:
        """The job's containers that there are now, where its tasks run in Docker."""
        named = f"PROMINENCE_JOB_ID={job}"
        return [task for task in self.containers("task") if named in task.attrs["Config"]["Env"]]

    def inside(self, role: str, *command: str, user: str = "") -> str:
        """What a command prints inside the pool's container of this role."""
        code, output = run_inside(self.containers(role)[0], list(command), user)
        assert code == 0, (command, output)
        return output

    def in_group(self, group: str) -> RealPool:
        """The same pool with a token of its user as a member of this group alone."""
        return self.in_groups(group)

    def in_groups(self, *groups: str) -> RealPool:
        """The same of these groups."""
        claims = jwt.decode(self.token, options={"verify_signature": False})
        [secret] = [file for file in (self.state / "secrets").iterdir() if "api" in file.name]
        return replace(
            self, token=jwt.encode({**claims, "groups": list(groups)}, secret.read_text(), algorithm="HS256")
        )

    def all_history(self) -> list[dict[str, Any]]:
        """The ClassAds of all jobs that have left the queue, from HTCondor itself."""
        return list(json.loads(self.inside("access-point", "condor_history", "-json") or "[]"))

    def history(self, job: int) -> dict[str, Any]:
        """The finished job's ClassAd, from HTCondor itself."""
        ads = json.loads(self.inside("access-point", "condor_history", "-json", str(job)))
        return dict(ads[0])

    @contextmanager
    def store(self) -> Iterator[EtcdKeyValue]:
        """The pool's etcd. Its network has no way out, but the machine that it is on can reach it."""
        container = self.containers("access-point")[0]
        network = container.attrs["NetworkSettings"]["Networks"][f"prominence-{self.name}-control"]
        store = EtcdKeyValue([f"{network['IPAddress']}:2379"])
        try:
            yield store
        finally:
            store.close()

    def offer(self, *flavours: dict[str, Any]) -> None:
        """Have imc offer these kinds of machine and no others: as in its settings.

        Until the scaler has seen it, it would order what is not offered any more, and imc make the cheapest instead.
        """
        told = self.state / "config" / "imc.toml"
        document = tomllib.loads(told.read_text())
        document["clouds"]["docker"]["flavours"] = list(flavours)
        told.write_text(tomli_w.dumps(document))
        self.containers("imc")[0].restart()
        names = {flavour["name"] for flavour in flavours}
        until(lambda: self._offered() == names, 60, lambda: str(self._offered()))

    def _offered(self) -> set[str]:
        """The kinds of machine of which the scaler knows."""
        clouds = self.request("GET", "/pool").json().get("clouds", ())
        return {flavour["name"] for cloud in clouds for flavour in cloud["flavours"]}

    def workers(self) -> dict[str, Record]:
        """imc's records, by name."""
        with self.store() as store:
            return Records(store).all().by_name

    def _has_status(self, job: int | str, statuses: tuple[str, ...]) -> dict[str, Any] | None:
        answer = self.request("GET", f"/jobs/{job}")
        if answer.status_code == 503:  # it says itself that one is to try again
            return None
        described = _only_one(answer)
        return described if described["status"] in statuses else None


def _only_one(answer: requests.Response) -> dict[str, Any]:
    """The job in an answer."""
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found[0]


def gateway(engine: docker.DockerClient, network: str = "bridge") -> str:
    """This machine's address on a network of the engine's.

    Of its own bridge a new engine tells the subnet only, until it has been started again: its address is the first.
    """
    [config, *_] = engine.networks.get(network).attrs["IPAM"]["Config"]
    return str(config.get("Gateway") or next(ipaddress.ip_network(config["Subnet"]).hosts()))


def run_inside(container: Container, command: list[str], user: str = "") -> tuple[int, str]:
    """Exit code and output of a command in a container.

    `exec_run` of Docker's SDK takes over the connection, and loses what has come with the head of the answer, as
    happens on a busy machine. Who does not ask to take it over gets all of it.
    """
    assert container.client is not None
    api = container.client.api
    process = api.exec_create(container.id, command, user=user)["Id"]
    answer = api.post(f"{api.base_url}/v{api.api_version}/exec/{process}/start", json={"Detach": False, "Tty": False})
    answer.raise_for_status()
    output, rest = b"", answer.content
    while rest:  # frames: a head of 8 bytes, whose last four say how many follow
        end = 8 + int.from_bytes(rest[4:8], "big")
        output, rest = output + rest[8:end], rest[end:]
    done = until(lambda: (found := api.exec_inspect(process)) and not found["Running"] and found, 10)
    return int(done["ExitCode"]), output.decode()


def until(look: Callable[[], Any], timeout_s: float, complaint: Callable[[], str] = lambda: "it never came") -> Any:
    """What `look` gives once it gives something true."""
    timeout_s *= PATIENCE
    deadline = time.monotonic() + timeout_s
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s; {complaint()}")
        time.sleep(0.2)


def new_pool(home: Path, engine: docker.DockerClient, *options: str) -> RealPool:
    """A pool with a name and a port of its own, not yet up: runs beside each other must not choose the same."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    return RealPool(f"test-{uuid.uuid4().hex[:8]}", home, engine, options=["--port", port, *options])
