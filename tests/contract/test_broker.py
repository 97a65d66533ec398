"""The broker against the real engine: who may do what, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import docker
import pytest
from acting import acting_as
from broker_client import Client
from hypothesis import given
from hypothesis import strategies as st
from real_executor import (
    DOCKER_SOCKET,
    SLOT_UID,
    Bench,
    BrokerProcess,
    HeldRegistry,
    Registry,
    open_directory,
    processes_with,
    until,
)

from prominence.core.reasons import Reason
from prominence.core.report import Outcome
from prominence.executor import exits
from prominence.executor.broker import protocol, requests


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    registry = Registry()
    yield registry
    registry.close()


@pytest.fixture
def directory() -> Iterator[Path]:
    with open_directory() as directory:
        yield directory


@pytest.fixture
def broker(directory: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(directory).running() as broker:
        yield broker


@pytest.fixture
def bench(broker: BrokerProcess, registry: Registry) -> Bench:
    return a_bench(broker, registry)


def a_bench(broker: BrokerProcess, registry: Registry) -> Bench:
    """A worker with this broker and no other way to run containers."""
    return Bench(broker.directory, registry, [], {"PROMINENCE_BROKER_SOCKET": str(broker.socket)})


@pytest.fixture
def marker() -> str:
    return str(uuid.uuid4().int % 10**9 + 10**9)


def told(broker: BrokerProcess, line: bytes) -> dict[str, Any]:
    """The answer to a line, on a connection of its own. Those that have just been closed may still count."""

    def ask() -> dict[str, Any]:
        with Client(broker, SLOT_UID, SLOT_UID) as client:
            client.send(line)
            answer = client.receive()
            return {} if answer.get("message") == "too many sessions of one user" else answer

    return dict(until(ask))


def may_begin(client: Client) -> bool:
    """Whether there is a session for this client; who is refused may not even get to ask."""
    try:
        return bool(client.ask("session").get("ok"))
    except ConnectionError:
        return False


@pytest.fixture
def connect(broker: BrokerProcess) -> Iterator[Any]:
    """Connections of a slot's user, or of somebody else."""
    with ExitStack() as stack:

        def connect(uid: int = SLOT_UID, gid: int = SLOT_UID) -> Client:
            client = Client(broker, uid, gid)
            stack.callback(client.close)
            return client

        yield connect


def a_run(bench: Bench, *command: str, **changes: Any) -> bytes:
    fields = {
        "image": bench.image(),
        "command": command,
        "env": {},
        "workdir": "/home/user",
        "cpus": 1,
        "memory_mib": 64,
        **changes,
    }
    return protocol.line(fields.pop("verb", "run"), **fields)


class TestWho:
    def test_root_has_no_session(self, connect: Any) -> None:
        answer = connect(0, 0).ask("session")
        assert (answer["ok"], answer["message"]) == (False, "only jobs may ask for this")

    @pytest.mark.parametrize("uid_gid", [(999, 999), (SLOT_UID, 0), (65534, 65534)])
    def test_nor_has_anybody_who_is_no_slot_user(self, connect: Any, uid_gid: tuple[int, int]) -> None:
        for verb, fields in (("session", {}), ("has", {"image": "x"}), ("pull", {"image": "x"})):
            assert not connect(*uid_gid).ask(verb, **fields)["ok"]

    def test_anybody_may_ask_whether_there_is_docker(self, connect: Any, engine: docker.DockerClient) -> None:
        answer = connect(0, 0).ask("version")
        assert answer == {"ok": True, "version": engine.version()["Version"], "between_nodes": False}
        assert connect(999, 999).ask("version")["ok"]

    def test_a_user_has_so_many_sessions_at_once_and_no_more(self, connect: Any) -> None:
        clients = [connect() for _ in range(24)]
        assert all(client.ask("session")["ok"] for client in clients)
        assert connect().receive()["message"] == "too many sessions of one user"
        assert connect(SLOT_UID + 1, SLOT_UID + 1).ask("session")["ok"]
        clients[0].close()
        until(lambda: may_begin(connect()))


class TestEntering:
    @pytest.fixture
    def running(self, connect: Any, bench: Bench, marker: str) -> Any:
        """A client whose container runs."""
        client = connect()
        client.ask("session")
        client.ask("pull", image=bench.image())
        client.send(a_run(bench, "sleep", marker), 1, 2)
        until(lambda: processes_with(marker))
        until(lambda: connect().ask("usage")["ok"])  # the broker hears of it a moment after the process is there
        return client

    def enter(self, client: Client, tmp_path: Path, *command: str) -> tuple[dict[str, Any], str]:
        with open(tmp_path / "output", "wb") as output:
            client.send(protocol.line("enter", command=list(command)), output.fileno(), output.fileno())
            answer = client.receive()
        return answer, (tmp_path / "output").read_text()

    def test_the_process_that_runs_a_container_may_enter_it_as_its_user(
        self, connect: Any, running: Client, tmp_path: Path
    ) -> None:
        answer, said = self.enter(connect(), tmp_path, "sh", "-c", "id -u; exit 3")
        assert (answer["ok"], answer["exit_code"], said) == (True, 3, f"{SLOT_UID}\n")

    def test_nobody_else_may(self, connect: Any, running: Client, tmp_path: Path) -> None:
        for uid in (SLOT_UID + 1, 999, 0):
            answer, said = self.enter(connect(uid, uid), tmp_path, "id")
            assert (answer["ok"], said) == (False, "")

    def test_what_it_uses_is_told_to_the_same_process_alone(self, connect: Any, running: Client) -> None:
        answer = connect().ask("usage")
        assert answer["ok"], answer
        assert 0 < answer["cpu_s"] < 60
        assert 0 < answer["memory_kib"] < 64 * 1024
        for uid in (SLOT_UID + 1, 999, 0):
            assert not connect(uid, uid).ask("usage")["ok"]

    def test_without_a_container_there_is_nothing_to_tell_of(self, connect: Any) -> None:
        connect().ask("session")
        assert connect().ask("usage")["error"] == "not there"

    def test_without_a_container_there_is_nothing_to_enter(self, connect: Any, tmp_path: Path) -> None:
        client = connect()
        client.ask("session")
        assert self.enter(connect(), tmp_path, "id")[0]["error"] == "not there"

    @pytest.mark.parametrize("command", [[], ["a\0b"], "id", [1], ["\ud800"]])
    def test_what_is_no_command_is_refused(self, connect: Any, command: Any) -> None:
        client = connect()
        client.send(protocol.line("enter", command=command), 1, 2)
        assert client.receive()["error"] == "refused"


class TestSlots:
    @pytest.fixture
    def broker(self, directory: Path) -> Iterator[BrokerProcess]:
        with BrokerProcess(directory, execute_dir=str(directory)).running() as broker:
            yield broker

    def test_a_container_has_no_more_than_its_slot(
        self, connect: Any, bench: Bench, broker: BrokerProcess, engine: docker.DockerClient, marker: str
    ) -> None:
        client = connect()
        assert client.ask("session", sandbox=str(bench.new_sandbox()))["ok"]
        client.ask("pull", image=bench.image())
        client.send(a_run(bench, "sleep", marker, cpus=64, memory_mib=100_000), 1, 2)
        [container] = until(lambda: processes_with(marker) and broker.containers(engine))
        assert container.attrs["HostConfig"]["Memory"] == 200 * 1024 * 1024
        assert container.attrs["HostConfig"]["CpuShares"] == 2 * 1024

    def test_what_is_written_beside_the_two_directories_counts_as_disk(self, bench: Bench) -> None:
        bench.disk_kib = 20 * 1024
        done = bench.run("head -c 40000000 /dev/zero > /var/tmp/f; sleep 600", walltime_s=60)
        assert done.report.outcome is Outcome.OUT_OF_DISK

    def test_who_shows_no_sandbox_has_no_session(self, connect: Any, bench: Bench) -> None:
        for sandbox in ("", "/", str(bench.directory), "/tmp"):
            assert connect().ask("session", sandbox=sandbox)["error"] == "refused"
        another = connect(SLOT_UID + 1, SLOT_UID + 1)
        assert another.ask("session", sandbox=str(bench.new_sandbox()))["message"] == "this is another user's sandbox"

    def test_a_job_has_one_session_and_the_next_one_its_own(self, connect: Any, bench: Bench) -> None:
        sandbox = str(bench.new_sandbox())
        first = connect()
        assert first.ask("session", sandbox=sandbox)["ok"]
        assert connect().ask("session", sandbox=sandbox)["message"] == "the job has a session already"
        first.close()
        until(lambda: connect().ask("session", sandbox=sandbox)["ok"])

    def test_the_executor_shows_its_own(self, bench: Bench) -> None:
        assert bench.run("echo on").stdout == "on\n"


class TestWhat:
    @pytest.mark.parametrize(
        "line",
        [
            b'{"verb": "exec", "container": "x"}\n',
            b'{"verb": "session", "tasks_dir": "/etc"}\n',
            b'{"verb": "has", "image": "../../containers/json"}\n',
            b'{"verb": "pull", "image": "x", "auth": "y"}\n',
            b'{"verb": "signal", "name": "TERM", "container": "y"}\n',
            b"not json\n",
            b"\n",
            b"\xff\xfe\x00\n",
            b"[" * 1000 + b"\n",
        ],
    )
    def test_what_is_no_request_of_a_jobs_is_refused_and_the_conversation_goes_on(
        self, connect: Any, line: bytes
    ) -> None:
        client = connect()
        client.send(line)
        assert client.receive()["error"] == "refused"
        assert client.ask("version")["ok"]

    @pytest.mark.parametrize("field", ["binds", "user", "network", "privileged", "mounts", "labels", "home"])
    def test_what_isolates_a_container_is_not_the_jobs_to_say(
        self, connect: Any, bench: Bench, broker: BrokerProcess, engine: docker.DockerClient, field: str
    ) -> None:
        client = connect()
        client.ask("session")
        client.send(a_run(bench, "true", **{field: "x"}), 1, 2)
        assert client.receive()["message"] == f"run has no {field}"
        assert broker.containers(engine) == []

    def test_a_run_needs_a_session_and_its_two_descriptors(self, connect: Any, bench: Bench) -> None:
        client = connect()
        client.send(a_run(bench, "true"), 1, 2)
        assert client.receive()["message"] == "the session has not begun"
        client.ask("session")
        client.send(a_run(bench, "true"), 1)
        assert "2 descriptors" in client.receive()["message"]
        client.send(protocol.line("version"), 1)
        assert "2 descriptors" in client.receive()["message"]

    def test_a_connection_is_one_session(self, connect: Any) -> None:
        client = connect()
        assert client.ask("session")["ok"]
        assert client.ask("session")["message"] == "the session has begun already"

    def test_a_session_runs_one_container_at_a_time(self, connect: Any, bench: Bench, marker: str) -> None:
        client = connect()
        client.ask("session")
        client.ask("pull", image=bench.image())
        client.send(a_run(bench, "sleep", marker), 1, 2)
        until(lambda: processes_with(marker))
        client.send(a_run(bench, "true"), 1, 2)
        assert client.receive()["message"].startswith("a container is running")
        client.send(protocol.line("signal", name="KILL"))
        assert client.receive()["exit_code"] == 137

    def test_a_line_without_end_ends_the_conversation(self, connect: Any) -> None:
        client = connect()
        with pytest.raises(ConnectionError):
            client.socket.sendall(b"x" * 3 * protocol.LONGEST_LINE)
        assert connect().ask("version")["ok"]

    def test_garbage_is_one_bad_request(self, connect: Any) -> None:
        client = connect()
        client.socket.sendall(os.urandom(200_000).replace(b"\n", b"") + b"\n")
        assert client.receive()["message"] == "not a line of JSON"
        assert client.ask("version")["ok"]

    def test_descriptors_without_end_are_not_kept(self, connect: Any, broker: BrokerProcess) -> None:
        client = connect()
        with pytest.raises(OSError):
            for _ in range(50):
                client.send(b"x", 0, 1, 2, 3)
                time.sleep(0.01)
        assert connect().ask("version")["ok"]


HOSTILE_IMAGES = [
    "-v",
    "--privileged",
    "../x",
    "/x",
    "a b",
    "a\n",
    "a\0",
    "x?all=1",
    "x#y",
    "x%2e%2e",
    "é",
    "",
    "a" * 600,
]
HOSTILE_WORDS = st.sampled_from(
    ["-v", "--privileged", "../../etc", "/", "/etc/shadow", "a=b", "\n", "$(id)", "\u2028", "x" * 500]
)
TEXTS = HOSTILE_WORDS | st.text(max_size=50)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)
FIELDS = (
    "image",
    "sandbox",
    "command",
    "env",
    "workdir",
    "cpus",
    "memory_mib",
    "name",
    "targets",
    "mounts",
    "Binds",
    "user",
)
# Never an image that could be pulled: there may be such a one.
REQUESTS = st.builds(
    lambda verb, fields: json.dumps({**fields, "verb": verb, "image": "-v"}).encode(),
    st.sampled_from(list(requests.VERBS)) | TEXTS,
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8),
)
LINES = REQUESTS | st.binary(max_size=300) | JSON.map(lambda data: json.dumps(data).encode())


@pytest.fixture(scope="module")
def standing() -> Iterator[BrokerProcess]:
    with open_directory() as directory, BrokerProcess(directory, execute_dir=str(directory)).running() as broker:
        yield broker


@pytest.fixture(scope="module")
def sandboxes(standing: BrokerProcess, registry: Registry) -> dict[str, Path]:
    """One's own, and that of somebody else's job; and links to both, where only HTCondor could put them."""
    own, other = a_bench(standing, registry).new_sandbox(), a_bench(standing, registry).new_sandbox()
    os.chown(other, SLOT_UID + 1, SLOT_UID + 1)
    for name, target in (("link", own), ("others-link", other), ("root-link", Path("/"))):
        (standing.directory / name).symlink_to(target)
    return {"own": own, "other": other}


class TestHostile:
    """One broker for all of it: whatever one client does, it serves the next."""

    @given(st.lists(LINES, max_size=6), st.integers(0, 3))
    def test_whatever_comes_is_answered_or_hung_up_on(
        self, standing: BrokerProcess, lines: list[bytes], descriptors: int
    ) -> None:
        with Client(standing, SLOT_UID, SLOT_UID) as client, suppress(OSError):  # it may hang up
            client.send(b"\n".join(line.replace(b"\n", b"") for line in lines) + b"\n", *[1] * descriptors)
            client.send(protocol.line("version"))
            while (answer := client.receive()) and "version" not in answer:
                assert answer["ok"] is False and answer["error"] == "refused", answer
        assert told(standing, b"go on\n")["message"] == "not a line of JSON"
        until(lambda: not standing.sessions())

    @given(TEXTS.filter(lambda verb: verb not in requests.VERBS), st.dictionaries(TEXTS, JSON, max_size=4))
    def test_a_verb_that_is_not_its_own_is_refused(
        self, standing: BrokerProcess, verb: str, fields: dict[str, Any]
    ) -> None:
        line = json.dumps({**fields, "verb": verb}).encode() + b"\n"
        assert told(standing, line)["message"].startswith("no such verb")

    @pytest.mark.parametrize("image", HOSTILE_IMAGES)
    @pytest.mark.parametrize("verb", ["has", "pull"])
    def test_what_is_no_name_of_an_image_does_not_reach_the_engine(
        self, standing: BrokerProcess, verb: str, image: str
    ) -> None:
        assert told(standing, protocol.line(verb, image=image))["message"] == "image: not the name of an image"

    @given(st.lists(st.sampled_from(["own", "other", "link", "root-link", "..", ".", "", "tasks", "home"]), max_size=4))
    def test_no_path_leads_to_a_session_but_that_of_ones_own_sandbox(
        self, standing: BrokerProcess, sandboxes: dict[str, Path], parts: list[str]
    ) -> None:
        names = [sandboxes[part].name if part in sandboxes else part for part in parts]
        path = os.path.join(str(standing.directory), *names) if names else ""
        answer = told(standing, protocol.line("session", sandbox=path))
        is_own = [part for part in parts if part] == ["own"] and parts[-1] == "own"
        assert answer["ok"] is is_own, (path, answer)
        until(lambda: not standing.sessions())

    @pytest.mark.parametrize(
        "path", ["\0", "/\0", "\udcff", "/" + "a/" * 3000, "/proc/self/cwd", "/proc/1/root", "dir_1"]
    )
    def test_a_path_that_is_none_is_refused(self, standing: BrokerProcess, path: str) -> None:
        assert told(standing, protocol.line("session", sandbox=path))["error"] == "refused"

    def test_who_swaps_the_slots_ad_has_no_session(self, standing: BrokerProcess, registry: Registry) -> None:
        """The sandbox is its user's: HTCondor's ad in it can be removed, but not made anew, linked or piped."""
        (standing.directory / "generous").write_text("Cpus = 64\nMemory = 1000000\nDisk = 1000000000\n")
        for swap in (
            lambda ad: ad.write_text("Cpus = 64\nMemory = 1000000\nDisk = 1000000000\n"),
            lambda ad: ad.symlink_to(standing.directory / "generous"),
            os.mkfifo,
            Path.mkdir,
            lambda ad: None,
        ):
            sandbox = a_bench(standing, registry).new_sandbox()
            with acting_as(SLOT_UID, SLOT_UID):
                (sandbox / ".machine.ad").unlink()
                swap(sandbox / ".machine.ad")
            assert told(standing, protocol.line("session", sandbox=str(sandbox)))["error"] == "refused"

    def test_one_user_does_not_speak_for_anothers_job(
        self, standing: BrokerProcess, registry: Registry, marker: str
    ) -> None:
        bench = a_bench(standing, registry)
        sandbox = str(bench.new_sandbox())
        with Client(standing, SLOT_UID, SLOT_UID) as victim, Client(standing, SLOT_UID + 1, SLOT_UID + 1) as attacker:
            assert victim.ask("session", sandbox=sandbox)["ok"]
            victim.ask("pull", image=bench.image())
            victim.send(a_run(bench, "sleep", marker), 1, 2)
            until(lambda: processes_with(marker))
            assert attacker.ask("session", sandbox=sandbox)["message"] == "this is another user's sandbox"
            attacker.send(protocol.line("signal", name="KILL"))
            assert attacker.ask("version")["ok"]  # the signal has been read
            attacker.send(a_run(bench, "true"), 1, 2)
            assert attacker.receive()["message"] == "the session has not begun"
            assert processes_with(marker)
            victim.send(protocol.line("signal", name="KILL"))
            assert victim.receive()["exit_code"] == 137


class TestBeside:
    def test_containers_of_one_session_share_what_the_engine_limits_by_container(
        self, connect: Any, bench: Bench, broker: BrokerProcess, engine: docker.DockerClient, marker: str
    ) -> None:
        client, beside = connect(), connect()
        client.ask("session", beside=3)
        client.ask("pull", image=bench.image())
        client.send(a_run(bench, "sleep", marker), 1, 2)
        beside.send(a_run(bench, "sleep", marker, verb="beside"), 1, 2)
        assert beside.receive() == {"ok": True, "started": True}
        until(lambda: len(processes_with(marker)) >= 2)
        containers = broker.containers(engine)
        assert {one.attrs["HostConfig"]["PidsLimit"] for one in containers} == {1024}
        assert {one.attrs["HostConfig"]["CpuShares"] for one in containers} == {256}
        beside.send(protocol.line("signal", name="KILL"))
        assert beside.receive()["exit_code"] == 137
        assert len(until(lambda: processes_with(marker))) >= 1  # the task's is another's business
        client.close()
        until(lambda: broker.containers(engine) == [])

    def test_they_share_one_memory_before_there_is_a_task(self, connect: Any, bench: Bench) -> None:
        client, *both = connect(), connect(), connect()
        client.ask("session", beside=2)
        client.ask("pull", image=bench.image())
        for number, beside in enumerate(both):
            # 80 MB, which are written to who does not read.
            hold = f"mkfifo {number}; sleep 100 < {number} & dd if=/dev/zero of={number} bs=80M count=1"
            beside.send(a_run(bench, "sh", "-c", hold, verb="beside", memory_mib=150), 1, 2)
            assert beside.receive()["started"]
        ended = both[0].receive()
        assert (ended["exit_code"], ended["oom"]) == (137, True)
        both[1].send(protocol.line("signal", name="KILL"))
        ended = both[1].receive()
        assert (ended["exit_code"], ended["oom"]) == (137, False)

    def test_who_hangs_up_ends_the_container_of_that_connection(
        self, connect: Any, bench: Bench, broker: BrokerProcess, engine: docker.DockerClient, marker: str
    ) -> None:
        client, beside = connect(), connect()
        client.ask("session", beside=1)
        client.ask("pull", image=bench.image())
        beside.send(a_run(bench, "sleep", marker, verb="beside"), 1, 2)
        assert beside.receive()["started"]
        beside.close()
        until(lambda: processes_with(marker) == [] and broker.containers(engine) == [])
        assert client.ask("has", image=bench.image())["has"]

    def test_there_are_no_more_than_were_announced_and_none_without_a_session(
        self, connect: Any, bench: Bench, marker: str
    ) -> None:
        asked = a_run(bench, "sleep", marker, verb="beside")
        client, alone, other = connect(), connect(), connect(SLOT_UID + 1, SLOT_UID + 1)
        alone.send(asked, 1, 2)
        assert alone.receive()["message"] == "there is no session to run it in"
        client.ask("session")
        client.send(asked, 1, 2)
        assert client.receive()["message"] == "a container beside the task's has a connection of its own"
        alone.send(asked, 1, 2)
        assert alone.receive()["message"] == "the session was to have 0 containers beside its task's"
        other.send(asked, 1, 2)
        assert other.receive()["message"] == "there is no session to run it in"
        assert processes_with(marker) == []


class TestContainers:
    def test_what_runs_is_limited_labelled_and_has_nothing_of_the_host_but_its_session(
        self, connect: Any, bench: Bench, broker: BrokerProcess, engine: docker.DockerClient, marker: str
    ) -> None:
        client = connect()
        place = client.ask("session")
        client.ask("pull", image=bench.image())
        client.send(a_run(bench, "sleep", marker, cpus=9999, memory_mib=64), 1, 2)
        [container] = until(lambda: processes_with(marker) and broker.containers(engine))
        told, host_config = container.attrs, container.attrs["HostConfig"]
        assert told["Config"]["User"] == f"{SLOT_UID}:{SLOT_UID}"
        assert {mount["Source"] for mount in told["Mounts"]} == {place["home"], place["tmp"]}
        assert (host_config["NetworkMode"], host_config["Privileged"]) == ("none", False)
        assert (host_config["CapDrop"], host_config["CapAdd"]) == (["ALL"], None)
        assert host_config["Memory"] == host_config["MemorySwap"] == 64 * 1024 * 1024
        assert host_config["NanoCpus"] == (engine.info()["NCPU"]) * 10**9
        assert host_config["PidsLimit"] == 4096
        assert container.labels["prominence.worker"] == "worker-1"

    def test_a_fork_bomb_has_an_end(self, directory: Path, registry: Registry) -> None:
        bomb = "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done; echo not here"
        with BrokerProcess(directory, pids=32).running() as broker:
            done = a_bench(broker, registry).run(bomb, walltime_s=20)
        assert "not here" not in done.stdout
        assert "fork" in done.stderr

    def test_the_owner_of_a_home_cannot_put_a_link_in_its_place(self, connect: Any) -> None:
        home = Path(connect().ask("session")["home"])
        with acting_as(SLOT_UID, SLOT_UID):
            (home / "mine").touch()
            with pytest.raises(PermissionError):
                home.rename(home.with_name("old"))
            with pytest.raises(PermissionError):
                (home / "mine").rename(home.with_name("new"))
            with pytest.raises(PermissionError):
                list(home.parent.parent.iterdir())

    def test_another_user_gets_into_nobodys_home(self, connect: Any) -> None:
        home = Path(connect().ask("session")["home"])
        with acting_as(SLOT_UID + 1, SLOT_UID + 1), pytest.raises(PermissionError):
            list(home.iterdir())

    def test_many_jobs_run_at_once(self, bench: Bench) -> None:
        jobs = [bench.job(f"echo {number}").start() for number in range(6)]
        assert [job.finish().stdout for job in jobs] == [f"{number}\n" for number in range(6)]


class TestNothingIsLeft:
    def test_after_a_job_that_ended_well(
        self, bench: Bench, broker: BrokerProcess, engine: docker.DockerClient
    ) -> None:
        swap = "mkdir -p a/b; ln -s / a/b/root; chmod 500 a"
        assert bench.run(swap).report.outcome is Outcome.SUCCESS
        until(lambda: broker.sessions() == [])
        assert broker.containers(engine) == []
        assert Path("/etc/passwd").exists()

    def test_after_an_executor_that_was_killed(
        self, bench: Bench, broker: BrokerProcess, engine: docker.DockerClient, marker: str
    ) -> None:
        job = bench.job(f"touch f; setsid sleep {marker} & sleep {marker}").start()
        until(lambda: len(processes_with(marker)) >= 2)
        job.signal(signal.SIGKILL)
        until(lambda: not processes_with(marker) and not broker.containers(engine) and not broker.sessions())
        assert job.finish().report.outcome is Outcome.UNFINISHED

    def test_after_a_job_that_never_reads_its_output(
        self, connect: Any, bench: Bench, broker: BrokerProcess, engine: docker.DockerClient, marker: str
    ) -> None:
        reading, writing = os.pipe()
        client = connect()
        client.ask("session")
        client.ask("pull", image=bench.image())
        client.send(a_run(bench, "sh", "-c", f"sleep {marker} & yes"), writing, writing)
        until(lambda: processes_with(marker))
        client.close()
        until(lambda: not broker.containers(engine) and not broker.sessions())
        os.close(reading)
        os.close(writing)

    def test_after_the_broker_was_told_to_stop(
        self, broker: BrokerProcess, bench: Bench, engine: docker.DockerClient, marker: str
    ) -> None:
        job = bench.job(bench.task("sleep", marker)).start()
        until(lambda: processes_with(marker))
        assert broker.stop() == 0
        assert (broker.containers(engine), broker.sessions(), processes_with(marker)) == ([], [], [])
        # A worker that stops its broker is about to end its jobs, too.
        until(lambda: job.report().reason is Reason.EXECUTOR_FAILED)
        job.signal(signal.SIGTERM)
        assert job.finish().exit_code == exits.STOPPED

    def test_after_the_broker_was_killed_and_started_again(
        self, broker: BrokerProcess, bench: Bench, engine: docker.DockerClient, marker: str
    ) -> None:
        job = bench.job(bench.task("sleep", marker)).start()
        until(lambda: processes_with(marker))
        broker.stop(signal.SIGKILL)
        until(lambda: job.report().reason is Reason.EXECUTOR_FAILED)
        assert broker.containers(engine) and broker.sessions()
        broker.start()
        done = job.finish()
        assert (done.exit_code, done.report.outcome) == (exits.HANDED_BACK, Outcome.SYSTEM_FAILED)
        assert "broker has hung up" in done.sentence
        assert (broker.containers(engine), broker.sessions(), processes_with(marker)) == ([], [], [])
        assert bench.run("echo again").stdout == "again\n"

    def test_of_another_workers_nothing_is_touched(
        self, broker: BrokerProcess, bench: Bench, engine: docker.DockerClient, marker: str
    ) -> None:
        job = bench.job(bench.task("sleep", marker)).start()
        until(lambda: processes_with(marker))
        with open_directory() as elsewhere:
            for changes in ({"worker": "worker-2", "pool": broker.pool}, {"pool": "another"}):
                with BrokerProcess(elsewhere, **changes).running():
                    pass
        assert processes_with(marker)
        job.signal(signal.SIGTERM)
        job.finish()


class TestPulls:
    @pytest.fixture
    def stalling(self, engine: docker.DockerClient) -> Iterator[HeldRegistry]:
        """A registry that sends no image before it is told to, and has one that no engine has seen."""
        registry = HeldRegistry(mark=uuid.uuid4().hex)
        yield registry
        registry.close()
        for image in engine.images.list(name=f"{registry.host}/tiny"):
            engine.images.remove(image.tags[0], force=True)

    def test_a_job_that_is_stopped_while_its_image_is_fetched_ends_and_leaves_nothing(
        self, broker: BrokerProcess, stalling: HeldRegistry, engine: docker.DockerClient
    ) -> None:
        job = a_bench(broker, stalling).job("true").start()
        assert stalling.asked.wait(20)
        job.signal(signal.SIGTERM)
        done = job.finish(timeout_s=10)
        assert (done.exit_code, done.report.reason) == (exits.STOPPED, Reason.INTERRUPTED)
        until(lambda: not broker.sessions() and "pull given up" in broker.log.read_text())
        stalling.release()
        assert not engine.images.list(name=f"{stalling.host}/tiny"), "the engine has given it up, too"

    def test_an_executor_that_is_killed_meanwhile_leaves_nothing_either(
        self, broker: BrokerProcess, stalling: HeldRegistry
    ) -> None:
        job = a_bench(broker, stalling).job("true").start()
        assert stalling.asked.wait(20)
        job.signal(signal.SIGKILL)
        assert job.finish().report.outcome is Outcome.UNFINISHED
        until(lambda: not broker.sessions() and "pull given up" in broker.log.read_text())

    def test_jobs_that_need_the_same_image_share_one_pull(self, broker: BrokerProcess, stalling: HeldRegistry) -> None:
        bench = a_bench(broker, stalling)
        jobs = [bench.job("echo on").start()]
        assert stalling.asked.wait(20)
        of_one = _manifests(stalling)
        jobs += [bench.job("echo on").start() for _ in range(2)]
        until(lambda: '"by": 3' in broker.log.read_text())
        jobs[0].signal(signal.SIGTERM)
        assert jobs[0].finish().exit_code == exits.STOPPED
        stalling.release()
        assert [job.finish().stdout for job in jobs[1:]] == ["on\n", "on\n"]
        assert "pull given up" not in broker.log.read_text()
        assert _manifests(stalling) == of_one

    def test_an_image_that_does_not_come_in_time_is_named_with_the_limit(
        self, broker: BrokerProcess, stalling: HeldRegistry
    ) -> None:
        done = a_bench(broker, stalling).run("true", pull_limit_s=1, walltime_s=1)
        assert done.report.reason is Reason.IMAGE_PULL_FAILED
        assert "tiny:1 could not be fetched: it took longer than 1 s." in done.sentence
        until(lambda: "pull given up" in broker.log.read_text())

    def test_who_waits_for_an_image_may_not_ask_for_another(
        self, broker: BrokerProcess, stalling: HeldRegistry, connect: Any
    ) -> None:
        client = connect()
        client.send(protocol.line("pull", image=f"{stalling.host}/tiny:1"))
        assert stalling.asked.wait(20)
        assert client.ask("pull", image="other")["error"] == "refused"
        assert client.ask("version")["ok"]


def _manifests(registry: Registry) -> int:
    return sum("/manifests/1" in path for path in registry.requests)


class TestAbsence:
    def test_while_the_engine_is_away_it_says_so_and_afterwards_cleans_up(
        self, directory: Path, registry: Registry, engine: docker.DockerClient, marker: str
    ) -> None:
        way = directory / "docker.sock"
        way.symlink_to(DOCKER_SOCKET)
        with BrokerProcess(directory, docker_socket=str(way), sweep_every_s=1).running() as broker:
            bench = a_bench(broker, registry)
            job = bench.job(bench.task("sleep", marker)).start()
            until(lambda: processes_with(marker))
            way.unlink()
            job.signal(signal.SIGKILL)
            job.finish()
            assert "the worker has none that works" in bench.run("true").sentence
            assert broker.containers(engine)
            way.symlink_to(DOCKER_SOCKET)
            until(lambda: not broker.containers(engine) and not broker.sessions())
            assert bench.run("true").report.outcome is Outcome.SUCCESS

    def test_a_job_whose_engine_goes_away_is_handed_back_once_it_is_there_again(
        self, directory: Path, registry: Registry, engine: docker.DockerClient, marker: str
    ) -> None:
        way = directory / "docker.sock"
        way.symlink_to(DOCKER_SOCKET)
        with BrokerProcess(directory, docker_socket=str(way), sweep_every_s=1).running() as broker:
            job = a_bench(broker, registry).job(a_bench(broker, registry).task("sleep", marker)).start()
            until(lambda: processes_with(marker))
            way.unlink()
            broker.containers(engine)[0].kill()  # as an engine that is being stopped does
            until(lambda: job.report().reason is Reason.EXECUTOR_FAILED)
            assert "the Docker engine does not answer" in str(job.report().details)
            way.symlink_to(DOCKER_SOCKET)
            assert job.finish().exit_code == exits.HANDED_BACK
            until(lambda: not broker.containers(engine) and not broker.sessions())

    def test_a_job_that_finds_no_broker_on_a_worker_that_promised_docker_does_not_fail(
        self, directory: Path, registry: Registry
    ) -> None:
        environment = {"PROMINENCE_BROKER_SOCKET": str(directory / "none"), "_CONDOR_MACHINE_AD": ".machine.ad"}
        job = Bench(directory, registry, [], environment).job("true")
        (job.sandbox / ".machine.ad").write_text('ProminenceRuntimes = "apptainer docker"\n')
        job.start()
        until(lambda: (job.sandbox / "report.json").exists() and job.report().reason is Reason.EXECUTOR_FAILED)
        job.signal(signal.SIGTERM)
        done = job.finish()
        assert done.exit_code == exits.STOPPED
        assert "the worker's docker does not answer any more" in done.sentence

    def test_a_worker_whose_jobs_may_not_use_docker_has_a_broker_that_says_so(
        self, directory: Path, registry: Registry
    ) -> None:
        with BrokerProcess(directory, docker_socket="").running() as broker:
            done = a_bench(broker, registry).run("true")
        assert "it asks for docker, and the worker has none that works" in done.sentence

    def test_a_second_broker_of_a_worker_does_not_start(self, broker: BrokerProcess) -> None:
        second = BrokerProcess(broker.directory)
        second.socket = broker.directory / "second.sock"
        second.launch()
        assert second.wait() == 2
