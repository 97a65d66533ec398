"""Settings that change while imc runs: taken over as a whole, or refused as a whole and told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from builders_imc import JOINING, PretendWorld
from prometheus_client import generate_latest

from prominence.core.errors import Rejected, Unavailable
from prominence.core.machines import Wish, WorkerPhase
from prominence.core.settings import load
from prominence.imc.acts import Acts
from prominence.imc.adapters.memory import MemoryCloud
from prominence.imc.adapters.prometheus import Metrics
from prominence.imc.declared import DockerSettings
from prominence.imc.lifecycle import Deadlines
from prominence.imc.main import _again, _clouds
from prominence.imc.process import _invitations
from prominence.imc.reload import Configured, Reload, merged
from prominence.imc.settings import ImcSettings

FILE = """
token_file = "/run/token"
{more}
[deadlines]
join_s = {join_s}
[pool]
collector = "ap"
keys_dir = "/run/keys"
revocations_file = "/state/revocations"
"""
DOCKER = """
[clouds.{name}]
type = "docker"
network = "n"
state_dir = "/state"
limit = {limit}
"""


class Running:
    """An imc in this process, whose file of settings may change. Its clouds are memory's, on the declared terms."""

    def __init__(self, home: Path) -> None:
        self.file = home / "imc.toml"
        self.world = PretendWorld()
        self.metrics = Metrics()
        self.write(DOCKER.format(name="docker", limit=1))
        self.made: dict[str, MemoryCloud] = {"docker": self.world.cloud}
        first = self.read(None)
        self.reload = Reload(first, self.read, self.world.records, self.apply, self.metrics)
        self.apply(first)

    def write(self, clouds: str, join_s: int = 300, more: str = "") -> None:
        self.file.write_text(FILE.format(join_s=join_s, more=more) + clouds)

    def read(self, before: Configured | None) -> Configured:
        told = load(ImcSettings, "imc", self.file, {})
        settings, later = merged(before.settings, told) if before else (told, ())
        clouds = {}
        for name, declared in settings.clouds.items():
            assert isinstance(declared, DockerSettings)
            offered = [flavour.model_copy(update={"cloud": name}) for flavour in OFFERED]
            cloud = self.made.setdefault(name, MemoryCloud(name, offered))
            cloud._terms = declared.terms
            clouds[name] = cloud
        return Configured(settings, clouds, later)

    def apply(self, configured: Configured) -> None:
        world = self.world
        acts = Acts(world.records, configured.clouds, world.pool, JOINING, lambda: world.now)
        world.reconciler.change(acts, configured.settings.deadlines)

    def again(self) -> None:
        """SIGHUP, and the next rounds."""
        self.reload.ask()
        self.reload.check()
        self.world.ticks(4)

    def told(self) -> str:
        return generate_latest(self.metrics.registry).decode()


OFFERED = PretendWorld().cloud.flavours()


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path)


def test_more_workers_may_exist_when_the_settings_say_so(running: Running) -> None:
    for name in ("worker-1", "worker-2"):
        running.world.ask(name)
    running.world.ticks(3)
    assert len(running.world.cloud.machines) == 1
    running.write(DOCKER.format(name="docker", limit=2))
    running.again()
    assert len(running.world.cloud.machines) == 2
    assert running.reload.trouble == ""


def test_a_new_cloud_is_used_and_one_that_was_left_out_is_not(running: Running) -> None:
    running.write(DOCKER.format(name="new", limit=3))
    running.again()
    running.world.ask("worker-1")
    running.world.ticks(3)
    assert list(running.made["new"].machines) == ["worker-1"]
    assert [status.name for status in running.world.records.clouds()] == ["new"]


def test_settings_that_are_wrong_change_nothing_and_all_mistakes_are_told(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    before = running.reload.in_force
    running.write('[clouds.docker]\ntype = "docker"\nlimit = "many"\nstate_dir = "here"\n', join_s=0)
    running.again()
    assert running.reload.in_force is before
    for mistake in ("clouds.docker.limit", "clouds.docker.network", "clouds.docker.state_dir", "deadlines.join_s"):
        assert mistake in running.reload.trouble
    assert str(running.file) in running.reload.trouble
    assert "the settings are refused" in caplog.messages
    assert "prominence_imc_configuration_valid 0.0" in running.told()
    running.world.ask()
    running.world.ticks(3)
    assert list(running.world.cloud.machines) == ["worker-1"]
    running.write(DOCKER.format(name="docker", limit=2))
    running.again()
    assert running.reload.trouble == ""
    assert "prominence_imc_configuration_valid 1.0" in running.told()


def test_a_cloud_where_workers_are_cannot_be_left_out(running: Running) -> None:
    running.world.ask()
    running.world.ticks(3)
    running.write(DOCKER.format(name="new", limit=3))
    running.again()
    assert "clouds.docker: cannot be left out while workers are there: 1" in running.reload.trouble
    assert "docker" in running.reload.in_force.clouds


def test_workers_that_have_ended_are_forgotten_though_their_cloud_was_left_out(running: Running) -> None:
    running.world.ask()
    running.world.ticks(3)
    running.world.wish("worker-1", Wish.ABSENT)
    running.world.ticks(3)
    running.write(DOCKER.format(name="new", limit=3))
    running.again()
    assert [record.phase for record in running.world.records.all().records] == [WorkerPhase.DELETED]
    running.world.ticks(3, Deadlines().keep_s)
    assert not running.world.records.all().records


def test_of_a_cloud_that_does_not_answer_workers_that_have_ended_are_remembered(running: Running) -> None:
    running.world.ask()
    running.world.ticks(3)
    running.world.wish("worker-1", Wish.ABSENT)
    running.world.ticks(3)
    running.world.cloud.faults.next("nodes", Unavailable("it is down"), times=5)
    running.world.ticks(3, Deadlines().keep_s)
    assert [record.name for record in running.world.records.all().records] == ["worker-1"]


def test_what_takes_a_restart_is_told(running: Running) -> None:
    running.write(DOCKER.format(name="docker", limit=2), more="port = 9800")
    running.again()
    assert running.reload.trouble == "in force after a restart only: port"


def test_while_the_store_is_silent_the_question_stays_open(running: Running) -> None:
    running.world.ask()
    running.world.ticks(3)
    running.write(DOCKER.format(name="new", limit=3))
    running.world.store.unavailable = "etcd is down"
    running.reload.ask()
    with pytest.raises(Unavailable):
        running.reload.check()
    running.world.store.unavailable = ""
    running.reload.check()
    assert "clouds.docker" in running.reload.trouble


def test_a_cloud_that_stays_as_it_was_is_the_same_object(running: Running) -> None:
    running.write(DOCKER.format(name="docker", limit=1) + DOCKER.format(name="other", limit=1))
    first = _again(running.file, Configured(running.reload.in_force.settings, {}))
    running.write(DOCKER.format(name="docker", limit=1) + DOCKER.format(name="other", limit=2))
    second = _again(running.file, first)
    assert second.clouds["docker"] is first.clouds["docker"]
    assert second.clouds["other"] is not first.clouds["other"]
    running.write(DOCKER.format(name="docker", limit=-1))
    with pytest.raises(Rejected, match="clouds"):
        _again(running.file, second)


def test_who_asks_while_the_settings_are_read_is_heard(running: Running) -> None:
    inner = running.reload._read

    def meanwhile(before: Configured) -> Configured:
        found = inner(before)
        running.write(DOCKER.format(name="docker", limit=3))
        running.reload.ask()
        running.reload._read = inner
        return found

    running.reload._read = meanwhile
    running.write(DOCKER.format(name="docker", limit=2))
    running.reload.ask()
    running.reload.check()
    running.reload.check()
    assert running.reload.in_force.settings.clouds["docker"].limit == 3


def test_settings_that_cannot_be_applied_are_refused_and_rounds_go_on(running: Running, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    door = f'url = "https://door"\nca_file = "{ca}"'
    running.file.write_text(
        FILE.format(join_s=300, more="") + DOCKER.format(name="docker", limit=1) + f"[joining]\n{door}"
    )
    settings = load(ImcSettings, "imc", running.file, {})

    def apply(found: Configured) -> None:
        _invitations(settings)
        running.apply(found)

    running.reload._apply = apply
    running.write(DOCKER.format(name="docker", limit=2))
    running.again()
    assert f"joining.ca_file: {ca} cannot be read" in running.reload.trouble
    running.world.ask()
    running.again()
    assert running.reload.in_force.settings.clouds["docker"].limit == 1
    ca.write_text("a certificate")
    running.again()
    assert running.reload.in_force.settings.clouds["docker"].limit == 2


def test_a_mistake_of_ours_in_new_settings_costs_one_round_and_not_all(running: Running) -> None:
    def fails(_: Configured) -> Configured:
        raise AssertionError("a mistake of ours")

    running.reload._read = fails
    running.reload.ask()
    with pytest.raises(AssertionError):
        running.reload.check()
    running.reload.check()


def test_a_cloud_whose_library_is_not_installed_is_refused(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prominence.imc.adapters.libcloud", None)
    running.write(
        f"""
        [joining]
        url = "https://door"
        [clouds.amazon]
        type = "ec2"
        region = "r"
        credentials_file = "{tmp_path}/aws"
        image = {{ id = "i" }}
        flavours = ["*"]
        """
    )
    with pytest.raises(Rejected, match="clouds.amazon.type: needs a library that is not installed here"):
        _clouds(load(ImcSettings, "imc", running.file, {}))
