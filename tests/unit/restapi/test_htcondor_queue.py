"""What HTCondor's library raises becomes what we say; the rest is in the contracts, on real daemons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import classad2
import htcondor2
import pytest

from prominence.core import classads
from prominence.core.errors import ProminenceError, Unavailable
from prominence.core.machines import Size
from prominence.restapi.adapters.htcondor import HTCondorDaemons, HTCondorMachines, HTCondorQueue
from prominence.restapi.health.ports import Daemon
from prominence.restapi.selection import Selection
from prominence.restapi.translate.submit import SubmitDescription

FAILURES = [
    RuntimeError("Unable to locate local daemon."),
    OSError("Failed to connect to schedd."),
    ValueError("invalid constraint"),
    getattr(htcondor2, "HTCondorException", RuntimeError)("what newer bindings raise"),
]

VERBS: list[Callable[[HTCondorQueue], Any]] = [
    lambda queue: queue.submit(SubmitDescription({"executable": "/bin/true"})),
    lambda queue: queue.find(Selection()),
    lambda queue: queue.remove(Selection(), "why"),
    lambda queue: queue.hold(Selection(), "why", 1),
    lambda queue: queue.release(Selection()),
    lambda queue: queue.edit(Selection(), {"JobPrio": "1"}),
]


class Silent:
    """A daemon that fails whatever it is asked."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self) -> Silent:
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*arguments: Any, **keywords: Any) -> Any:
            raise self._error

        return fail


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("verb", VERBS, ids=["submit", "find", "remove", "hold", "release", "edit"])
def test_whatever_the_library_raises_the_queue_is_unavailable(
    verb: Callable[[HTCondorQueue], Any], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(htcondor2, "Schedd", Silent(error))
    with pytest.raises(Unavailable) as caught:
        verb(HTCondorQueue())
    assert caught.value.retry_after_s
    assert str(error) not in str(caught.value)


def test_a_schedd_that_cannot_be_found_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Any:
        raise FAILURES[0]

    monkeypatch.setattr(htcondor2, "Schedd", nowhere)
    with pytest.raises(Unavailable):
        HTCondorQueue().find(Selection())


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_whatever_the_library_raises_the_pool_is_unavailable(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    class Collector(Silent):
        def __init__(self, _: object) -> None:
            super().__init__(error)

    monkeypatch.setattr(htcondor2, "Collector", Collector)
    with pytest.raises(Unavailable, match="The pool of workers does not answer") as caught:
        HTCondorMachines().slots()
    assert caught.value.retry_after_s


def test_a_description_that_htcondor_does_not_understand_is_a_mistake_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(htcondor2, "Schedd", Silent(RuntimeError("Failed to create job ad, errmsg=\n no universe")))
    with pytest.raises(ProminenceError, match="no universe") as caught:
        HTCondorQueue().submit(SubmitDescription({"executable": "/bin/true"}))
    assert not isinstance(caught.value, Unavailable)


def test_a_reason_that_the_library_would_take_for_more_than_a_text_is_refused() -> None:
    for verb in (
        lambda reason: HTCondorQueue().remove(Selection(), reason),
        lambda r: HTCondorQueue().hold(Selection(), r, 1),
    ):
        with pytest.raises(ValueError, match="cannot be a reason"):
            verb('by "eve"')


def test_each_silent_daemon_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(htcondor2, "Schedd", Silent(OSError()))
    monkeypatch.setattr(htcondor2, "Collector", Silent(OSError()))
    assert HTCondorQueue().silent() == ("HTCONDOR_SCHEDD", "HTCONDOR_COLLECTOR")


class Answering:
    """A schedd with one job."""

    def query(self, **keywords: Any) -> list[classad2.ClassAd]:
        return [
            classad2.ClassAd(
                {
                    classads.CLUSTER_ID: 7,
                    classads.IDENTITY: "%22eve%22",
                    classads.REQUEST_MEMORY: classad2.ExprTree("500 + 500"),
                    classads.EXIT_CODE: classad2.Value.Undefined,
                    classads.EXIT_BY_SIGNAL: False,
                    "Something": "else",
                }
            )
        ]


def test_an_ad_becomes_plain_values_of_what_we_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(htcondor2, "Schedd", Answering)
    [ad] = HTCondorQueue().find(Selection())
    assert ad == {
        classads.CLUSTER_ID: 7,
        classads.IDENTITY: '"eve"',
        classads.REQUEST_MEMORY: 1000,
        classads.EXIT_BY_SIGNAL: False,
    }


def test_one_strange_machine_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    strange = {
        classads.MACHINE: 7,
        classads.CLOUD: classad2.Value.Error,
        classads.TOTAL_CPUS: "many",
        classads.CPUS: -3,
        classads.MEMORY: float("inf"),
        classads.DRAINING: "perhaps",
    }
    usual = {classads.MACHINE: "w-1", classads.SLOT_TYPE: "Partitionable", classads.CPUS: 2, classads.START: True}

    class Collector:
        def __init__(self, _: object) -> None:
            pass

        def query(self, *_: Any, **__: Any) -> list[classad2.ClassAd]:
            return [classad2.ClassAd(ad) for ad in (strange, usual)]

    monkeypatch.setattr(htcondor2, "Collector", Collector)
    first, second = HTCondorMachines().slots()
    nothing = Size(cpus=0, memory_mib=0, disk_mib=0)
    assert (first.machine, first.site, first.capacity, first.free) == ("", "", nothing, nothing)
    assert (second.machine, second.free.cpus, second.start) == ("w-1", 2, "true")


def test_nothing_is_free_of_a_slot_that_one_job_has_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    class Collector:
        def __init__(self, _: object) -> None:
            pass

        def query(self, *_: Any, **__: Any) -> list[classad2.ClassAd]:
            slot = {classads.SLOT_TYPE: "Static", classads.CPUS: 2, classads.TOTAL_CPUS: 2}
            return [classad2.ClassAd({**slot, classads.STATE: state}) for state in ("Claimed", "Unclaimed")]

    monkeypatch.setattr(htcondor2, "Collector", Collector)
    assert [(slot.capacity.cpus, slot.free.cpus) for slot in HTCondorMachines().slots()] == [(2, 0), (2, 2)]


class Telling:
    """A daemon that answers whatever it is asked with this."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __call__(self) -> Telling:
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments, **keywords: self._answer


DAEMONS = ("Schedd", "Collector", "Negotiator")
AN_AD = classad2.ClassAd({"CondorVersion": "$CondorVersion: 23.9.6 2026-07-12 $"})


def asked(monkeypatch: pytest.MonkeyPatch, daemon: Daemon, **said: Any) -> str:
    for name in DAEMONS:
        monkeypatch.setattr(htcondor2, name, said.get(name, Telling([AN_AD])))
    return HTCondorDaemons().version(daemon)


@pytest.mark.parametrize("daemon", Daemon)
def test_a_daemon_that_answers_tells_its_version(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, daemon) == "HTCondor 23.9.6"


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("daemon", Daemon)
def test_a_daemon_itself_must_answer(daemon: Daemon, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable):
        asked(monkeypatch, daemon, **{daemon.value.capitalize(): Silent(error)})


def test_a_schedd_is_well_without_a_collector_and_a_negotiator_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Silent(RuntimeError("Connection refused"))
    assert asked(monkeypatch, Daemon.SCHEDD, Collector=silent) == ""
    with pytest.raises(Unavailable, match="Connection refused"):
        asked(monkeypatch, Daemon.NEGOTIATOR, Collector=silent)
    with pytest.raises(Unavailable, match="does not know where it is"):
        asked(monkeypatch, Daemon.NEGOTIATOR, Collector=Telling([]))
