"""imc's settings, its command line and its loop."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from builders_imc import PretendWorld, at

from prominence.core.errors import Rejected
from prominence.core.keyvalue.election import Election
from prominence.core.machines import WorkerPhase
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
[docker]
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
    assert (settings.host, settings.port, settings.docker.limit) == ("127.0.0.1", 9700, 4)
    assert [(f.name, f.size.cpus, f.size.memory_mib) for f in settings.docker.catalogue()] == [
        ("small", 2, 4000),
        ("medium", 4, 8000),
        ("large", 8, 16000),
    ]


def test_the_environment_overrides_the_file(file: Path) -> None:
    settings = load(ImcSettings, "imc", file, {"PROMINENCE_IMC_DOCKER__LIMIT": "9"})
    assert settings.docker.limit == 9


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"PROMINENCE_IMC_DOCKER__STATE_DIR": "relative"}, "docker"),
        ({"PROMINENCE_IMC_POOL__NAME": "a b"}, "pool.name"),
        ({"PROMINENCE_IMC_POOL__TASK_NETWORK": "host"}, "pool.task_network"),
        ({"PROMINENCE_IMC_DEADLINES__JOIN_S": "0"}, "deadlines.join_s"),
        ({"PROMINENCE_IMC_NONSENSE": "1"}, "nonsense"),
        (
            {"PROMINENCE_IMC_DOCKER__FLAVOURS": '[{"name": "a$b", "cpus": 1, "memory_mib": 500}]'},
            "docker.flavours[0].name",
        ),
    ],
)
def test_a_wrong_setting_is_named(file: Path, change: dict[str, str], path: str) -> None:
    with pytest.raises(Rejected) as error:
        load(ImcSettings, "imc", file, change)
    assert path in [mistake.path for mistake in error.value.mistakes]


def test_two_flavours_of_one_name_are_refused(file: Path) -> None:
    twice = '[{"name": "a", "cpus": 1, "memory_mib": 500}, {"name": "a", "cpus": 2, "memory_mib": 500}]'
    with pytest.raises(Rejected, match="same name"):
        load(ImcSettings, "imc", file, {"PROMINENCE_IMC_DOCKER__FLAVOURS": twice})


def test_the_command_shows_the_settings_in_force(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(file), "--show-settings"]) == 0
    assert "docker.limit" in capsys.readouterr().out


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
