"""What a worker's token is good for in the wrong hands: to advertise that worker, and for nothing else.

The tools run as root in a container on the pool's network that is nobody's, with nothing but a token: that of a real
worker, or what somebody might try instead. tests/taken_over.py has the deeds.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from docker.models.containers import Container
from real_parts import RealPool, until

DEEDS = Path(__file__).parents[1] / "taken_over.py"
TOKENS = "/root/tokens"
KEYS = "/run/prominence/keys"

ACCESS_POINT = ("collector", "schedd", "negotiator", "master")
NEIGHBOUR = ("startd", "startds_master")

READING = ("read_the_collector", "read_claim_ids", "read_the_queue", "read_the_history", "read_priorities")
ACTING = (
    *("submit", "hold", "remove", "edit", "set_a_priority"),
    *("reconfigure", "turn_off", "drain_a_neighbour", "take_away_ads"),
)


@dataclass
class Thief:
    """Somebody on the pool's network. targets: where the daemons are, and which worker's token was taken."""

    container: Container
    targets: dict[str, str]

    def run(self, who: str, *command: str) -> tuple[int, str]:
        """A command with the tokens of `who`: its exit code and what it said."""
        environment = {"_CONDOR_SEC_TOKEN_DIRECTORY": f"{TOKENS}/{who}"}
        done = self.container.exec_run(list(command), environment=environment)
        return done.exit_code, done.output.decode()

    def does(self, who: str, *deeds: str) -> dict[str, tuple[bool, str]]:
        """Of each of the deeds whether it was done, and what came of it."""
        command = ["timeout", "300", "python3", "/root/taken_over.py", json.dumps(self.targets), *deeds]
        exit_code, said = self.run(who, *command)
        assert exit_code == 0, said
        return dict(json.loads(said))

    def powers(self, who: str, daemon: str) -> set[str]:
        """What the daemon would let them do, by HTCondor's levels."""
        kind = {"startds_master": "master"}.get(daemon, daemon)
        _, said = self.run(
            who, "timeout", "60", "condor_ping", "-table", "-addr", self.targets[daemon], "-type", kind, "ALL"
        )
        rows = [line.split() for line in said.splitlines()]
        levels = {row[0]: row[4] for row in rows if len(row) >= 5 and row[0].isupper()}
        assert {"ALLOW", "READ", "ADVERTISE_STARTD"} <= set(levels), said
        return {level for level, decision in levels.items() if decision == "ALLOW"}

    def give(self, who: str, token: str) -> None:
        """A token to try."""
        content = token.encode()
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            file = tarfile.TarInfo(f"{who}/token")
            file.size, file.mode = len(content), 0o600
            tar.addfile(file, io.BytesIO(content))
        self.container.put_archive(TOKENS, archive.getvalue())


@pytest.fixture(scope="module")
def workers(pool: RealPool, tiny_image: str) -> Iterator[dict[str, int]]:
    """Two workers, and the job that keeps each of them busy."""
    whole = {"cpus": 8, "memory": 0.2, "disk": 0.1}
    jobs = [pool.submit({"image": tiny_image, "cmd": "sleep 900"}, resources=whole) for _ in range(2)]
    try:
        yield {pool.wait_for(job, "running")["execution"]["worker"]: job for job in jobs}
    finally:
        pool.request("DELETE", f"/jobs?id={','.join(map(str, jobs))}")


@pytest.fixture(scope="module")
def thief(pool: RealPool, workers: dict[str, int]) -> Iterator[Thief]:
    taken, neighbour = sorted(workers)
    worker = next(c for c in pool.containers("worker") if c.name.endswith(taken))
    container = pool.engine.containers.run(
        worker.attrs["Config"]["Image"],
        ["infinity"],
        entrypoint="sleep",
        name=f"prominence-test-thief-{uuid.uuid4().hex[:8]}",
        network=f"prominence-{pool.name}",
        environment={"_CONDOR_CONDOR_HOST": "ap", "_CONDOR_COLLECTOR_HOST": "ap"},
        labels={"prominence.pool": pool.name, "prominence.role": "thief"},
        detach=True,
        init=True,
    )
    try:
        found = Thief(container, {**_addresses(pool, neighbour), "own": taken, "other": neighbour})
        container.exec_run(["install", "-d", "-m", "0700", TOKENS, f"{TOKENS}/nobody"])
        _put_deeds(container)
        found.give("worker", worker.exec_run(["cat", "/etc/condor/tokens.d/pool"]).output.decode())
        found.give("administrator", _mint(pool, "condor@prominence", lifetime_s=3600))
        yield found
    finally:
        container.remove(force=True)


@pytest.fixture(scope="module")
def tried(pool: RealPool, thief: Thief) -> dict[str, tuple[bool, str]]:
    """What became of each deed. Nothing has changed by all of them."""
    before = _state(pool)
    became = thief.does("worker", *READING, *ACTING)
    assert _state(pool) == before
    return became


class TestAWorkersToken:
    def test_it_may_advertise_and_nothing_else(self, thief: Thief) -> None:
        assert thief.powers("worker", "collector") == {"ALLOW", "ADVERTISE_STARTD", "ADVERTISE_MASTER"}
        assert {"READ", "WRITE", "ADMINISTRATOR", "DAEMON"} <= thief.powers("administrator", "collector"), (
            "the tool tells who may do more"
        )

    @pytest.mark.parametrize("daemon", [*ACCESS_POINT[1:], *NEIGHBOUR])
    def test_no_other_daemon_lets_it_in(self, thief: Thief, daemon: str) -> None:
        assert thief.powers("worker", daemon) == set()

    @pytest.mark.parametrize("deed", [*READING, *ACTING])
    def test_what_it_tries_is_refused(self, tried: dict[str, tuple[bool, str]], deed: str) -> None:
        done, said = tried[deed]
        assert not done, said

    def test_the_same_reading_is_done_for_the_access_points_root(self, pool: RealPool, thief: Thief) -> None:
        access_point = pool.containers("access-point")[0]
        _put_deeds(access_point)
        done = access_point.exec_run(["python3", "/root/taken_over.py", json.dumps(thief.targets), *READING])
        assert {deed: done for deed, (done, _) in json.loads(done.output).items()} == dict.fromkeys(READING, True)

    @pytest.mark.parametrize(
        "command",
        [
            ("condor_token_fetch", "-type", "collector"),
            ("condor_token_request", "-type", "collector", "-identity", "condor@prominence"),
            ("condor_token_create", "-identity", "condor@prominence"),
        ],
        ids=lambda command: str(command[0]),
    )
    def test_it_gets_no_other_token(self, thief: Thief, command: tuple[str, ...]) -> None:
        exit_code, said = thief.run("worker", "timeout", "20", *command)
        assert exit_code not in (0, 124), said
        assert "eyJ" not in said

    def test_no_ad_gets_in_but_its_own(self, pool: RealPool, thief: Thief) -> None:
        before = _ads(pool)
        thief.does("worker", "advertise_others")
        assert _taken_over(pool) == []
        assert _ads(pool) >= before
        thief.does("worker", "advertise_itself")
        assert until(lambda: _taken_over(pool), 10) == [thief.targets["own"]]

    def test_what_poses_as_a_neighbour_gets_no_job(self, pool: RealPool, thief: Thief, tiny_image: str) -> None:
        """One command of the collector believes what an ad says of its own identity."""
        job = pool.submit({"image": tiny_image, "cmd": "true"}, resources={"cpus": 64, "memory": 0.2, "disk": 0.1})
        cycles = _negotiated(pool)
        thief.container.exec_run(["sh", "-c", 'printf "%s" "$0" > /root/ad', _forged(thief)])
        thief.run("worker", "condor_advertise", "-tcp", "UPDATE_STARTD_AD_WITH_ACK", "/root/ad")
        assert _taken_over(pool) != [], "if the collector refuses it, docs/security.md has a limit too many"
        until(lambda: _negotiated(pool) > cycles + 1, 30)
        assert pool.describe(job)["status"] in ("idle", "waiting")
        assert pool.request("DELETE", f"/jobs/{job}").status_code == 200

    @pytest.mark.slow
    def test_a_neighbour_whose_ads_it_takes_away_is_soon_back_and_nothing_is_ordered(
        self, pool: RealPool, workers: dict[str, int], thief: Thief
    ) -> None:
        neighbour = thief.targets["other"]
        ordered, machines = _ordered(pool), {c.id for c in pool.containers("worker")}
        assert f"slot1@{neighbour}" in _slots(pool)
        thief.does("worker", "take_away_the_neighbours_ads")
        assert f"slot1@{neighbour}" not in _slots(pool)
        until(lambda: f"slot1@{neighbour}" in _slots(pool), 75)
        assert pool.describe(workers[neighbour])["status"] == "running"
        assert _ordered(pool) == ordered
        assert {c.id for c in pool.containers("worker")} == machines


def test_a_token_for_workers_of_a_user_advertises_none_of_the_pools(pool: RealPool, thief: Thief) -> None:
    thief.give("owner", pool.request("POST", "/token").json()["token"])
    assert thief.powers("owner", "collector") == {"ALLOW", "ADVERTISE_STARTD", "ADVERTISE_MASTER"}
    assert [thief.powers("owner", daemon) for daemon in ACCESS_POINT[1:]] == [set()] * 3
    before = _ads(pool)
    taken = _taken_over(pool)
    thief.does("owner", "advertise_others", "advertise_itself")
    assert set(_taken_over(pool)) <= set(taken)  # what another test took over may have got its own ad back
    assert _ads(pool) >= before
    assert not any(done for done, _ in thief.does("owner", *READING, *ACTING).values())


@pytest.mark.parametrize("who", ["nobody", "another_key", "expired", "elsewhere"])
def test_who_has_no_good_token_is_let_in_nowhere(pool: RealPool, thief: Thief, who: str) -> None:
    if who == "another_key":
        thief.container.exec_run(
            ["sh", "-c", "umask 077; mkdir -p /root/keys; head -c 64 /dev/urandom > /root/keys/POOL"]
        )
        thief.give(who, _token_of(thief.container, "/root/keys", "condor@prominence", "3600"))
    elif who == "expired":
        token = _mint(pool, "condor@prominence", lifetime_s=1)
        end = jwt.decode(token, options={"verify_signature": False})["exp"]
        until(lambda: time.time() > end + 1, 10)
        thief.give(who, token)
    elif who == "elsewhere":
        thief.give(who, _mint(pool, "condor@prominence", lifetime_s=3600, _CONDOR_TRUST_DOMAIN="elsewhere"))
    assert {daemon: thief.powers(who, daemon) for daemon in (*ACCESS_POINT, *NEIGHBOUR)} == {
        daemon: set() for daemon in (*ACCESS_POINT, *NEIGHBOUR)
    }


def test_when_its_worker_is_gone_the_token_is_let_in_nowhere(
    pool: RealPool, workers: dict[str, int], thief: Thief
) -> None:
    """The last of this file: it takes the worker away."""
    taken = thief.targets["own"]
    assert thief.powers("worker", "collector") != set()
    pool.request("DELETE", f"/jobs/{workers[taken]}")
    until(lambda: not any(c.name.endswith(taken) for c in pool.containers("worker")), 90)
    until(lambda: thief.powers("worker", "collector") == set(), 10)
    for daemon in (*ACCESS_POINT, *NEIGHBOUR):
        assert thief.powers("worker", daemon) == set()
    assert not thief.does("worker", "advertise_itself")["advertise_itself"][0]
    assert taken not in _taken_over(pool)


def _addresses(pool: RealPool, neighbour: str) -> dict[str, str]:
    known = {
        **{"collector": ("Collector", "ap"), "schedd": ("Scheduler", "ap"), "negotiator": ("Negotiator", "ap")},
        **{"master": ("DaemonMaster", "ap"), "startd": ("StartD", neighbour)},
        "startds_master": ("DaemonMaster", neighbour),
    }
    query = ("condor_status", "-any", "-json", "-attributes", "MyType,Machine,MyAddress")

    def look() -> dict[str, str] | None:
        ads = json.loads(pool.inside("access-point", *query))
        where = {(ad["MyType"], ad.get("Machine")): ad["MyAddress"] for ad in ads if "MyAddress" in ad}
        return {name: where[ad] for name, ad in known.items()} if set(known.values()) <= set(where) else None

    return dict(until(look, 60))


def _put_deeds(container: Container) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(DEEDS, DEEDS.name)
    container.put_archive("/root", archive.getvalue())


def _mint(pool: RealPool, identity: str, lifetime_s: int, **environment: str) -> str:
    return _token_of(pool.containers("imc")[0], KEYS, identity, str(lifetime_s), **environment)


def _token_of(container: Container, keys: str, identity: str, lifetime_s: str, **environment: str) -> str:
    done = container.exec_run(
        ["condor_token_create", "-identity", identity, "-key", "POOL", "-lifetime", lifetime_s],
        environment={
            "_CONDOR_SEC_PASSWORD_DIRECTORY": keys,
            "_CONDOR_SEC_TOKEN_POOL_SIGNING_KEY_FILE": f"{keys}/POOL",
            **environment,
        },
    )
    assert done.exit_code == 0, done.output
    return str(done.output.decode().strip())


def _state(pool: RealPool) -> str:
    """Of the queue, the daemons, the workers and the priorities, as the access point sees them."""
    script = """
        condor_q -allusers -af ClusterId JobStatus TakenOver
        pgrep -P 1 -a
        condor_status -constraint Draining -af Name
        condor_status -any -constraint 'MyType =!= "Machine"' -af MyType Name
        condor_userprio -allusers -l | grep taken@over || true
    """
    return pool.inside("access-point", "sh", "-c", script)


def _ads(pool: RealPool) -> set[str]:
    """All but those of slots, which come and go."""
    query = ("condor_status", "-any", "-constraint", 'MyType =!= "Machine"', "-af", "MyType", "Name")
    return set(pool.inside("access-point", *query).splitlines())


def _slots(pool: RealPool) -> set[str]:
    return set(pool.inside("access-point", "condor_status", "-af", "Name").split())


def _taken_over(pool: RealPool) -> list[str]:
    return pool.inside("access-point", "condor_status", "-any", "-constraint", "TakenOver", "-af", "Machine").split()


def _negotiated(pool: RealPool) -> int:
    """Cycles of matchmaking so far."""
    log = (pool.state / "log" / "condor" / "NegotiatorLog").read_text(errors="replace")
    return log.count("Finished Negotiation Cycle")


def _ordered(pool: RealPool) -> int:
    """Workers that the scaler has asked for so far."""
    lines = (pool.state / "log" / "scaler" / "scaler.log").read_text().splitlines()
    return sum(json.loads(line).get("act") == "create" for line in lines)


def _forged(thief: Thief) -> str:
    """A slot of the neighbour's name, large enough for what no other has room for, at the thief's address."""
    thief.container.reload()
    [network] = thief.container.attrs["NetworkSettings"]["Networks"].values()
    address = f"<{network['IPAddress']}:9618>"
    name = thief.targets["other"]
    fields: dict[str, Any] = {
        **{"MyType": "Machine", "Machine": name, "Name": f"slot1@{name}", "SlotType": "Static", "SlotID": 2},
        **{"MyAddress": address, "StartdIpAddr": address, "ClaimId": f"{address}#1#1#{'a' * 32}"},
        **{"AuthenticatedIdentity": f"{name}@workers", "AuthenticationMethod": "IDTOKENS"},
        **{"State": "Unclaimed", "Activity": "Idle", "Cpus": 64, "Memory": 100_000, "Disk": 100_000_000},
        **{"Requirements": True, "Start": True, "HasFileTransfer": True, "TakenOver": True},
    }
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in fields.items())
