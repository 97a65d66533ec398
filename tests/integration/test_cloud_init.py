"""What imc gives a virtual machine to start with, applied by cloud-init itself, on a real pool.

The machine is a container that has a worker's packages, Debian's cloud-init, and of systemd what works without being
the first process (Debian's `systemctl`). No connection to it can be opened. The installation of packages is not tried.
"""

from __future__ import annotations

import base64
import io
import json
import tarfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import docker
import jwt
import pytest
from builders import a_flavour, a_request, a_size
from builders_imc import JOINING, a_record
from counting import begun, counting
from docker.models.containers import Container
from real_machines import CPUS, inside
from real_parts import RealPool, gateway, run_inside, until

from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import Flavour, Market, WorkerPhase
from prominence.imc import cloudinit, wishes
from prominence.imc.acts import Acts
from prominence.imc.adapters.htcondor import HTCondorPool
from prominence.imc.admissions import Admissions
from prominence.imc.invitations import Invitations
from prominence.imc.ports import File, Layout, Node, NodeState, Terms
from prominence.imc.records import Record, Records
from prominence.imc.serving import serve_door
from prominence.imc.settings import JoiningSettings, PoolSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

NAME = "cloudy-1"
LARGE = {"cpus": CPUS, "memory": 0.2, "disk": 0.1}
SEED = "/var/lib/cloud/seed/nocloud"
METADATA, WIRESERVER = "169.254.169.254", "168.63.129.16"
"""Azure has two such services. The second has no address of an interface: HTCondor would take it for the machine's."""

RECIPE = r"""
ARG BASE
FROM ${BASE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends cloud-init systemctl \
    && rm --recursive --force /var/lib/apt/lists/* \
    && printf 'datasource_list: [NoCloud]\nnetwork: {config: disabled}\n' > /etc/cloud/cloud.cfg.d/90-test.cfg \
    && printf '#!/bin/sh\necho "${0##*/} $*" >> /var/log/ends\n' > /usr/sbin/shutdown \
    && cp /usr/sbin/shutdown /usr/sbin/poweroff && chmod 0755 /usr/sbin/shutdown /usr/sbin/poweroff
"""
"""A container cannot be switched off: it is written down that it should be."""

SERVICE = f"""
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from threading import Thread
class Handler(SimpleHTTPRequestHandler):
    def do_PUT(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a-token")
for place in ("{METADATA}", 80), ("{METADATA}", 53), ("{WIRESERVER}", 80):
    Thread(target=HTTPServer(place, partial(Handler, directory="{SEED}")).serve_forever).start()
"""
"""Metadata services: files, and what Amazon wants to be asked for first. Google's tells names at the same address."""

BOOT = f"""
ip address add {METADATA}/32 dev lo
ip route add local {WIRESERVER}/32 dev lo
nft add table inet closed
nft add chain inet closed in '{{ type filter hook input priority 0; }}'
nft add rule inet closed in iif != lo meta l4proto tcp ct state new drop
python3 {SEED}/service.py > /dev/null 2>&1 &
for stage in "init --local" "init" "modules --mode=config" "modules --mode=final"; do cloud-init $stage; done
exec sleep infinity
"""


@dataclass
class SeededCloud:
    """Machines that are containers which find user data where cloud-init looks for it. See ports.Cloud."""

    engine: docker.DockerClient
    image: str
    network: str
    name: str = "seeded"
    terms: Terms = Terms(1)
    told: list[str] = field(default_factory=list)

    def flavours(self) -> Sequence[Flavour]:
        size = a_size(CPUS, 2000, 10_000)
        return [a_flavour(cloud=self.name, name="large", size=size, market=Market.SPOT)]

    def layout(self, name: str) -> Layout:
        home = f"/var/lib/prominence/workers/{name}"
        return Layout(f"{home}/execute", f"{home}/tasks", by_user_data=True, notices="ec2")

    def nodes(self) -> Sequence[Node]:
        return [Node(NAME, NodeState.RUNNING) for _ in self.machines()]

    def create(self, name: str, flavour: Flavour, files: Sequence[File]) -> None:
        self.told.append(cloudinit.cloud_config(files, self.layout(name)))
        container = self.engine.containers.create(
            self.image,
            ["sh", "-c", BOOT],
            name=f"prominence-test-{self.network}-{name}",
            hostname=name,
            network=self.network,
            init=True,
            cap_add=["SYS_ADMIN", "NET_ADMIN"],
            security_opt=["seccomp=unconfined"],
            devices=["/dev/fuse:/dev/fuse:rwm"],
        )
        seed = {"user-data": self.told[-1], "meta-data": f"instance-id: i-{name}\nlocal-hostname: {name}\n"}
        seed["service.py"] = SERVICE
        container.put_archive("/", _archive({f"{SEED}/{file}": text for file, text in seed.items()}))
        container.start()

    def delete(self, name: str) -> None:
        for machine in self.machines():
            machine.remove(force=True)

    def machines(self) -> list[Container]:
        found: list[Container] = self.engine.containers.list(
            all=True, filters={"name": f"^prominence-test-{self.network}-"}
        )
        return found


@dataclass
class World:
    """An imc of the test's own, beside the pool's: it shares HTCondor with it, and no record."""

    pool: RealPool
    cloud: SeededCloud
    condor: HTCondorPool
    acts: Acts

    @property
    def machine(self) -> Container:
        return self.cloud.machines()[0]

    @property
    def record(self) -> Record:
        record = self.acts.records.get(NAME)
        assert record is not None
        return record

    def sh(self, script: str, user: str = "root") -> tuple[int, str]:
        return run_inside(self.machine, ["sh", "-c", script], user=user)

    def story(self) -> str:
        """For a failure: how far the machine came."""
        _, said = self.sh("ps axf; tail -n 40 /var/log/journal/prominence-worker.service.log")
        return f"{self.record.trade}\n{said}\n{self.machine.logs(tail=40).decode(errors='replace')}"


@pytest.fixture(scope="module")
def image(pool: RealPool, engine: docker.DockerClient) -> Iterator[str]:
    """Of a worker, with cloud-init."""
    base = tomllib.loads((pool.state / "config" / "imc.toml").read_text())["clouds"]["docker"]["image"]
    tag = f"prominence-test-cloud-init:{pool.name}"
    context = io.BytesIO(_archive({"Dockerfile": RECIPE}))
    engine.images.build(fileobj=context, custom_context=True, tag=tag, buildargs={"BASE": base}, rm=True, forcerm=True)
    yield tag
    engine.images.remove(tag, force=True)


@pytest.fixture(scope="module")
def world(
    pool: RealPool, engine: docker.DockerClient, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("imc")
    key, network = folder / "POOL", f"prominence-{pool.name}"
    key.write_bytes(b"k" * 64)
    settings = PoolSettings(
        collector="ap",
        keys_dir=Path("/run/prominence/keys"),
        revocations_file=pool.state / "condor" / "revoked.conf",
        token_lifetime_s=30,
    )
    condor = HTCondorPool(settings, inside(pool.containers("imc")[0].name))
    records, host = Records(MemoryKeyValue()), gateway(engine, network)
    admissions = Admissions(records, condor, settings.token_lifetime_s, _now)
    door = serve_door(JoiningSettings(url=f"http://{host}", host=host, port=0), admissions, ended=lambda: None)
    invitations = Invitations(key, f"http://{host}:{door.port}", "", 600)
    cloud = SeededCloud(engine, image, network)
    acts = Acts(records, {cloud.name: cloud}, condor, replace(JOINING, invitations=invitations), _now)
    records.add(a_record(name=NAME, request=a_request(), requested_at=_now(), phase_since=_now(), attempts=1))
    records.update(NAME, lambda record: record.model_copy(update={"flavour": cloud.flavours()[0]}))
    try:
        acts.launch(NAME, cloud.flavours()[0], ())
        found = World(pool, cloud, condor, acts)
        until(lambda: NAME in condor.execute_points(), 180, found.story)
        yield found
    finally:
        cloud.delete(NAME)
        condor.invalidate(NAME)
        door.close()


def told_of(world: World, job: int) -> str:
    """Why a job has not done what it should have."""
    streams = [world.pool.output(job, stream) for stream in ("stdout", "stderr")]
    return "\n".join([str(world.pool.describe(job)), *streams, world.story()])


def test_it_joined_and_cloud_init_had_no_trouble_with_what_it_was_told(world: World) -> None:
    said = json.loads(world.sh("cloud-init status --format json")[1])
    assert (said["status"], said["errors"]) == ("done", [])
    assert world.sh("cloud-init schema --system")[0] == 0
    assert world.record.trade and world.record.trade.traded_at
    assert world.sh("cat /var/log/ends")[1].splitlines() == ["shutdown --poweroff +60", "shutdown -c"]


def test_it_runs_a_job_and_needs_no_port_for_it(world: World, tiny_image: str, tmp_path: Path) -> None:
    pool = world.pool
    _upload(pool, tiny_image, tmp_path)
    job = pool.submit({"image": "cloudy.tar", "runtime": "apptainer", "cmd": "echo from the cloud"}, resources=LARGE)
    ended = pool.finish(job)
    assert ended["status"] == "completed", told_of(world, job)
    assert pool.output(job).splitlines()[:1] == ["from the cloud"]
    assert pool.history(job)["LastRemoteHost"].endswith(f"@{NAME}")
    closed = world.sh("nft list chain inet closed in")[1]
    assert "ct state new" in closed and "drop" in closed


def test_a_job_that_may_not_be_interrupted_leaves_it_to_others(world: World, tiny_image: str, tmp_path: Path) -> None:
    """There is no other machine of that size, and this one can be taken away."""
    pool = world.pool
    _upload(pool, tiny_image, tmp_path)
    task = {"image": "cloudy.tar", "runtime": "apptainer", "cmd": "true"}
    careful = pool.submit(task, resources=LARGE, policies={"preemptible": False, "priority": 10})
    other = pool.submit(task, resources=LARGE)
    assert pool.finish(other)["status"] == "completed", told_of(world, other)
    assert pool.inside("access-point", "condor_q", str(careful), "-af", "NumJobStarts").strip() in ("0", "undefined")
    pool.run("delete", str(careful))


def test_its_token_is_roots_and_the_secret_is_nobodys(world: World) -> None:
    secret = _secret(world.cloud.told[-1])
    where = "/etc/condor/tokens.d/pool /etc/prominence/worker.key /etc/prominence/invitation.json"
    assert world.sh(f"stat -c '%a %u' {where}") == (0, "600 0\n" * 3)
    for user in ("slot1", "nobody"):
        assert world.sh(f"cat {where}", user=user)[0] != 0
        # cloud-init keeps what it was told; that is root's alone, too.
        assert secret not in world.sh("cat -- $(find / -xdev -type f -name '*user-data*') 2> /dev/null", user=user)[1]
        assert world.sh("grep -rsl invitation /var/lib/cloud /run/cloud-init", user=user)[1] == ""
    assert secret not in world.sh("cat /etc/prominence/*")[1]


def test_the_metadata_service_is_roots(world: World) -> None:
    def fetch(service: str, timeout_s: int) -> str:
        look = f"urllib.request.urlopen('http://{service}/user-data', timeout={timeout_s}).read()"
        return f'python3 -c "import urllib.request; print(len({look}))"'

    had = (0, f"{len(world.cloud.told[-1])}\n")
    assert [world.sh(fetch(service, 60)) for service in (METADATA, WIRESERVER)] == [had, had]
    for user in ("slot1", "slot256", "image257", "nobody", "condor"):
        for service in (METADATA, WIRESERVER):
            exit_code, said = world.sh(fetch(service, 5), user=user)
            assert exit_code != 0 and ("refused" in said or "timed out" in said), (user, said)
    # Where names are looked up: for jobs of a network of their own by root, for all else by whoever asks.
    assert world.sh(fetch(f"{METADATA}:53", 60), user="condor") == had


def test_the_token_is_renewed_and_the_collector_takes_the_new_one(world: World) -> None:
    """Which is good for 30 s: a worker that did not renew it would be refused."""
    first = world.sh("cat /etc/condor/tokens.d/pool")[1]
    until(lambda: world.sh("cat /etc/condor/tokens.d/pool")[1] != first, 120, world.story)
    until(lambda: _now() > _minted(first) + timedelta(seconds=30), 60)
    assert world.sh("condor_ping -type COLLECTOR ADVERTISE_STARTD")[0] == 0, world.story()


def test_a_stolen_copy_of_its_user_data_gets_nobody_in(world: World) -> None:
    known = json.loads(world.sh("cat /etc/prominence/invitation.json")[1])
    copied = json.dumps({**known, "secret": _secret(world.cloud.told[-1])})
    world.machine.put_archive("/", _archive({"/tmp/root/etc/prominence/invitation.json": copied}))
    world.acts.records.update(NAME, _long_ago)
    exit_code, said = world.sh("PROMINENCE_ROOT=/tmp/root /opt/prominence/bin/join-pool")
    assert exit_code != 0 and "this worker gets no token: 403" in said and "somebody else" in said
    assert world.record.trade and world.record.trade.refused == 1 and not world.record.failing


def test_told_that_the_cloud_takes_it_away_it_sends_its_job_back_which_goes_on_elsewhere(
    world: World, tiny_image: str, tmp_path: Path
) -> None:
    """The last but one: it takes no jobs from then on, and switches itself off."""
    pool = world.pool
    _upload(pool, tiny_image, tmp_path)
    here = {"requirements": {"sites": [world.cloud.name]}}
    policies = {"checkpoint": {"path": "state", "interval": 0.1}, "placement": here}
    job = pool.submit({"image": "cloudy.tar", "runtime": "apptainer", "cmd": counting(60)}, policies=policies)

    def said(*words: str) -> str:
        return pool.inside("access-point", "condor_q", str(job), "-af", *words).strip()

    until(lambda: "at 3\n" in pool.output(job), 180, lambda: f"{said('JobStatus', 'RemoteHost')} {world.story()}")
    assert said("RemoteHost").endswith(f"@{NAME}")
    assert not world.condor.execute_points()[NAME].leaving
    notice = {"action": "terminate", "time": (_now() + timedelta(seconds=120)).strftime("%Y-%m-%dT%H:%M:%SZ")}
    told = f"{SEED}/latest/meta-data/spot/instance-action"
    world.machine.put_archive("/", _archive({told: json.dumps(notice)}))
    until(lambda: world.condor.execute_points()[NAME].leaving, 90, world.story)
    until(lambda: world.sh("grep ^poweroff /var/log/ends")[0] == 0, 180, world.story)
    assert world.sh("pgrep -x condor_starter")[0] != 0, world.story()
    until(lambda: not said("RemoteHost").endswith(f"@{NAME}"), 90, lambda: said("JobStatus", "RemoteHost"))
    until(lambda: world.condor.execute_points()[NAME].claimed_slots == 0, 90, world.story)
    pool.run("edit", str(job), "--anywhere")
    described = pool.finish(job, timeout_s=300)
    assert described["status"] == "completed", described
    starts = begun(pool.output(job))
    # It is warned, and so saved once more: it had come at least so far.
    assert starts[-1].endswith("restart=1") and int(starts[-1].split()[1]) >= 3, starts
    assert described["execution"]["checkpoint"]["restored"] is True
    assert described["execution"]["worker"] != NAME
    assert [one["outcome"] for one in described["attempts"]] == ["interrupted", "success"], described["attempts"]


def test_when_it_is_deleted_its_token_and_its_key_are_good_for_nothing(world: World) -> None:
    """The last of this file."""
    ping = "condor_ping -type COLLECTOR ADVERTISE_STARTD"
    assert world.sh(ping)[0] == 0
    wishes.remove(world.acts.records, NAME, "no longer needed")
    world.acts.pool.revoke(NAME, _now())
    until(lambda: world.sh(ping)[0] != 0, 60, world.story)
    exit_code, said = world.sh("timeout 60 /opt/prominence/bin/join-pool")
    assert exit_code != 0 and "not wanted any more" in said
    world.acts.delete(NAME, ["seeded"])
    world.acts.end(world.record, WorkerPhase.DELETED, "no longer needed")
    assert world.cloud.machines() == []
    assert NAME not in world.condor.execute_points()


def _upload(pool: RealPool, image: str, folder: Path) -> None:
    file = folder / "tiny.tar"
    with open(file, "wb") as opened:
        for piece in pool.engine.images.get(image).save(named=True):
            opened.write(piece)
    pool.run("upload", str(file), "--name", "cloudy.tar")


def _now() -> datetime:
    return datetime.now(UTC)


def _long_ago(record: Record) -> Record:
    """Its machine is no longer expected to boot."""
    assert record.trade is not None
    return record.model_copy(update={"trade": record.trade.model_copy(update={"expires_at": record.requested_at})})


def _minted(token: str) -> datetime:
    return datetime.fromtimestamp(jwt.decode(token.strip(), options={"verify_signature": False})["iat"], UTC)


def _secret(user_data: str) -> str:
    files = {one["path"]: one["content"] for one in json.loads(user_data.partition("\n")[2])["write_files"]}
    return str(json.loads(base64.b64decode(files["/etc/prominence/invitation.json"]))["secret"])


def _archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(text.encode()), 0o600
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()
