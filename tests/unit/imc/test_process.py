"""imc's settings, its command line and its loop."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from builders_imc import PretendWorld, at

from prominence.core.errors import Rejected
from prominence.core.keyvalue.election import Election
from prominence.core.machines import WorkerPhase
from prominence.core.placement import Place
from prominence.core.settings import load
from prominence.imc.loop import Loop
from prominence.imc.main import main
from prominence.imc.records import LEADER
from prominence.imc.settings import ImcSettings

NEEDED = """
token_file = "/run/token"
[pool]
collector = "ap"
keys_dir = "/run/keys"
revocations_file = "/state/revoked.conf"
[clouds.docker]
type = "docker"
network = "prominence-default"
state_dir = "/state"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "imc.toml"
    path.write_text(NEEDED)
    return path


def test_what_is_not_set_has_its_default(file: Path) -> None:
    settings = load(ImcSettings, "imc", file, {})
    assert (settings.host, settings.port, settings.clouds["docker"].limit) == ("127.0.0.1", 9700, 4)
    assert [(f.name, f.size.cpus, f.size.memory_mib) for f in settings.clouds["docker"].catalogue("docker")] == [
        ("small", 2, 4000),
        ("medium", 4, 8000),
        ("large", 8, 16000),
    ]


def test_a_flavour_is_in_the_region_that_it_says(file: Path) -> None:
    flavours = (
        '[{"name": "a", "cpus": 1, "memory_mib": 999, "region": "north"}, {"name": "b", "cpus": 1, "memory_mib": 999}]'
    )
    settings = load(ImcSettings, "imc", file, {"PROMINENCE_IMC_CLOUDS__DOCKER__FLAVOURS": flavours})
    assert [flavour.place for flavour in settings.clouds["docker"].catalogue("docker")] == [
        Place("docker", "north"),
        Place("docker", ""),
    ]


def test_the_environment_overrides_the_file(file: Path) -> None:
    settings = load(ImcSettings, "imc", file, {"PROMINENCE_IMC_CLOUDS__DOCKER__LIMIT": "9"})
    assert settings.clouds["docker"].limit == 9


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"PROMINENCE_IMC_CLOUDS__DOCKER__STATE_DIR": "relative"}, "clouds.docker.state_dir"),
        ({"PROMINENCE_IMC_POOL__NAME": "a b"}, "pool.name"),
        (
            {"PROMINENCE_IMC_CLOUDS__DOCKER__FLAVOURS": '[{"name": "a", "cpus": 1, "memory_mib": 9, "region": "a,b"}]'},
            "clouds.docker.flavours[0].region",
        ),
        ({"PROMINENCE_IMC_POOL__TASK_NETWORK": "host"}, "pool.task_network"),
        ({"PROMINENCE_IMC_DEADLINES__JOIN_S": "0"}, "deadlines.join_s"),
        ({"PROMINENCE_IMC_NONSENSE": "1"}, "nonsense"),
        (
            {"PROMINENCE_IMC_CLOUDS__DOCKER__FLAVOURS": '[{"name": "a$b", "cpus": 1, "memory_mib": 500}]'},
            "clouds.docker.flavours[0].name",
        ),
    ],
)
def test_a_wrong_setting_is_named(file: Path, change: dict[str, str], path: str) -> None:
    with pytest.raises(Rejected) as error:
        load(ImcSettings, "imc", file, change)
    assert path in [mistake.path for mistake in error.value.mistakes]


def test_there_may_be_several_clouds_and_all_their_mistakes_are_told_at_once(file: Path) -> None:
    file.write_text(NEEDED + '[clouds.second]\ntype = "docker"\nnetwork = "n"\nstate_dir = "/s"\n')
    assert list(load(ImcSettings, "imc", file, {}).clouds) == ["docker", "second"]
    file.write_text(
        NEEDED.replace('"/state"', '"state"') + '[clouds."a b"]\ntype = "docker"\nnetwork = "n"\nstate_dir = "/s"\n'
    )
    with pytest.raises(Rejected) as error:
        load(ImcSettings, "imc", file, {})
    assert {mistake.path for mistake in error.value.mistakes} == {"clouds.docker.state_dir", "clouds.a b"}
    assert all(str(file) in mistake.message for mistake in error.value.mistakes)


AMAZON = """
[clouds.amazon]
type = "ec2"
region = "eu-west-1"
credentials_file = "FILE"
image = {name = "worker-*", owner = "self"}
flavours = ["m5.*"]
prices = [{flavour = "m5.large", per_hour = 0.1, valid_from = 2026-01-01}]
"""


def test_a_cloud_is_declared_by_its_type(file: Path) -> None:
    file.write_text(NEEDED + AMAZON)
    declared = load(ImcSettings, "imc", file, {"PROMINENCE_IMC_CLOUDS__AMAZON__CREDENTIALS_FILE": "/run/aws"}).clouds
    assert [cloud.type for cloud in declared.values()] == ["docker", "ec2"]


def test_a_cloud_with_virtual_machines_needs_a_door_for_its_workers(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("t")
    credentials = tmp_path / "aws"
    credentials.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    file.write_text(NEEDED.replace("/run/token", f"{tmp_path}/token") + AMAZON.replace("FILE", str(credentials)))
    assert main(["--config", str(file)]) == 1
    assert "joining: is needed for clouds with virtual machines" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["door", "ftp://door", "https://", "https://a b", "https://door?x", "https://door#x"])
def test_the_address_of_the_door_is_one(file: Path, url: str) -> None:
    with pytest.raises(Rejected) as error:
        load(ImcSettings, "imc", file, {"PROMINENCE_IMC_JOINING__URL": url})
    assert [mistake.path for mistake in error.value.mistakes] == ["joining.url"]


def test_all_mistakes_of_all_clouds_are_named_with_their_paths(file: Path) -> None:
    wrong = (
        AMAZON.replace('"FILE"', '"relative"')
        .replace("0.1", "-1")
        .replace("flavours", "limit = -1\nflavours")
        .replace("owner", "onwer")
    )
    file.write_text(NEEDED + wrong + '[clouds.other]\ntype = "ec3"\n[clouds.third]\nregion = "x"\n')
    with pytest.raises(Rejected) as error:
        load(ImcSettings, "imc", file, {})
    assert {mistake.path for mistake in error.value.mistakes} == {
        "clouds.amazon.credentials_file",
        "clouds.amazon.limit",
        "clouds.amazon.image.onwer",
        "clouds.amazon.prices[0].per_hour",
        "clouds.other",
        "clouds.third",
    }
    assert all(str(file) in mistake.message for mistake in error.value.mistakes)


def test_credentials_that_cannot_be_read_are_all_told_at_the_start(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = AMAZON.replace("FILE", str(tmp_path / "nothing"))
    second = AMAZON.replace("FILE", str(tmp_path / "empty")).replace("clouds.amazon", "clouds.second")
    (tmp_path / "empty").write_text("[default]\naws_access_key_id = hidden-word\n")
    (tmp_path / "token").write_text("word")
    file.write_text(NEEDED.replace("/run/token", str(tmp_path / "token")) + first + second)
    assert main(["--config", str(file)]) == 1
    told = capsys.readouterr().err
    assert "clouds.amazon.credentials_file: " in told and "clouds.second.credentials_file: " in told
    assert "aws_secret_access_key" in told and "hidden-word" not in told


def test_two_flavours_of_one_name_are_refused(file: Path) -> None:
    twice = '[{"name": "a", "cpus": 1, "memory_mib": 500}, {"name": "a", "cpus": 2, "memory_mib": 500}]'
    with pytest.raises(Rejected, match="same name"):
        load(ImcSettings, "imc", file, {"PROMINENCE_IMC_CLOUDS__DOCKER__FLAVOURS": twice})


def test_the_command_shows_the_settings_in_force(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(file), "--show-settings"]) == 0
    assert "clouds.docker.limit" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_missing_or_empty_token_ends_the_process_with_a_sentence(
    file: Path, tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_text(content)
    monkeypatch.setenv("PROMINENCE_IMC_TOKEN_FILE", str(token))
    assert main(["--config", str(file)]) == 1
    assert f"prominence-imc: {token}" in capsys.readouterr().err


def a_loop(world: PretendWorld, me: str = "one") -> Loop:
    return Loop(Election(world.store, LEADER, me, ttl_s=10), 2, lambda: world.now)


def test_only_the_leader_acts() -> None:
    world = PretendWorld()
    world.ask()
    a_loop(world, "one").turn(world.new_reconciler())
    attempts = world.record().attempts
    other = a_loop(world, "two")
    del world.cloud.machines["worker-1"]
    other.turn(world.new_reconciler())
    assert world.record().attempts == attempts == 1
    world.now = at(11)
    other.turn(world.new_reconciler())
    assert "vanished" in world.record().reason


def test_a_leader_that_was_paused_while_looking_does_nothing() -> None:
    world = PretendWorld()
    world.ask()
    loop = a_loop(world)
    inner = world.cloud.nodes

    def slow() -> object:
        world.now = at(20)
        Election(world.store, LEADER, "two", ttl_s=10).lead()
        return inner()

    world.cloud.nodes = slow  # type: ignore[method-assign,assignment]  # the pause
    loop.turn(world.new_reconciler())
    assert not world.cloud.machines


def test_the_loop_goes_on_after_a_mistake_of_ours_and_ends_when_told(caplog: pytest.LogCaptureFixture) -> None:
    world = PretendWorld()
    loop = a_loop(world)
    rounds: list[int] = []

    class Broken:
        def round(self, may_act: object) -> None:
            rounds.append(1)
            if len(rounds) == 3:
                loop.stop()
            loop.wake()
            raise KeyError("oops")

    loop.run(Broken())  # type: ignore[arg-type]  # it has all that the loop needs
    assert len(rounds) == 3
    assert "the round failed by a mistake of ours" in caplog.messages


def test_a_silent_store_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    world = PretendWorld()
    world.store.unavailable = "etcd is down"
    loop = a_loop(world)
    turns: list[int] = []

    def clock_in() -> None:
        turns.append(1)
        loop.wake() if len(turns) < 5 else loop.stop()

    loop._news.wait = lambda timeout=None: clock_in() or True  # type: ignore[method-assign,func-returns-value]
    loop.run(world.reconciler)
    assert len(turns) == 5
    assert caplog.messages.count("rounds are cut short") == 1


def test_news_end_the_wait() -> None:
    world = PretendWorld()
    world.ask()
    loop = Loop(Election(world.store, LEADER, "one", 10), 60, lambda: world.now)
    reconciler = world.new_reconciler()
    reconciler._wake = loop.wake
    thread = threading.Thread(target=loop.run, args=(reconciler,))
    thread.start()
    for _ in range(200):
        if world.record().phase is WorkerPhase.LAUNCHED:
            break
        threading.Event().wait(0.01)
    loop.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert world.record().phase is WorkerPhase.LAUNCHED
    assert loop.silent_for_s() == 0


def test_virtual_machines_are_tried_a_few_at_a_time_and_containers_are_not(file: Path) -> None:
    file.write_text(NEEDED + AMAZON.replace("FILE", "/run/aws"))
    clouds = load(ImcSettings, "imc", file, {}).clouds
    assert {name: cloud.terms.probation for name, cloud in clouds.items()} == {"docker": None, "amazon": 3}


def test_a_pool_of_static_workers_alone_has_no_cloud(file: Path) -> None:
    file.write_text(NEEDED.partition("[clouds.docker]")[0])
    assert load(ImcSettings, "imc", file, {}).clouds == {}
