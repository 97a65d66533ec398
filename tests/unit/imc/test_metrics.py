"""What Prometheus reads of imc."""

from __future__ import annotations

from builders_imc import JOINING, PretendWorld
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from prominence.core.errors import OutOfCapacity
from prominence.core.keyvalue.election import Election
from prominence.imc.acts import Acts
from prominence.imc.adapters.prometheus import Metrics
from prominence.imc.loop import Loop
from prominence.imc.reconcile import Reconciler
from prominence.imc.records import LEADER


def told(metrics: Metrics) -> dict[str, float]:
    """Every figure of ours but buckets, by name and labels."""
    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    return {
        f"{sample.name.removeprefix('prominence_imc_')}{sorted(sample.labels.values()) or ''}": sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("prominence_imc_") and "le" not in sample.labels
    }


def measured(world: PretendWorld, metrics: Metrics, me: str = "one") -> tuple[Loop, Reconciler]:
    acts = Acts(world.records, {"docker": world.cloud, "other": world.other}, world.pool, JOINING, lambda: world.now)
    loop = Loop(Election(world.store, LEADER, me, ttl_s=10), 2, lambda: world.now, metrics)
    return loop, Reconciler(acts, world.deadlines, world.threads, loop.wake, metrics)


def test_workers_clouds_rounds_and_acts_are_counted() -> None:
    world, metrics = PretendWorld(), Metrics()
    loop, reconciler = measured(world, metrics)
    world.cloud.faults.next("create", OutOfCapacity("sold out"))
    world.ask()
    for _ in range(8):
        loop.turn(reconciler)
        world.now = world.now.replace(minute=world.now.minute + 1)
        world.boot()
    figures = told(metrics)
    assert figures["leader"] == 1
    assert figures["rounds_total['ended']"] == 8
    assert figures["acts_total['OutOfCapacity', 'create']"] == 1
    assert figures["acts_total['create', 'done']"] == 1
    assert figures["join_seconds_count['docker']"] == 1
    assert figures["workers['docker', 'registered']"] == 1
    assert (figures["cloud_up['docker']"], figures["cloud_workers['docker']"]) == (1, 1)
    assert figures["cloud_workers_max['docker']"] == 4


def test_who_does_not_lead_tells_of_itself_only() -> None:
    world, first, second = PretendWorld(), Metrics(), Metrics()
    world.ask()
    for metrics, me in ((first, "one"), (second, "two")):
        loop, reconciler = measured(world, metrics, me)
        loop.turn(reconciler)
    assert told(second)["leader"] == 0
    assert not [name for name in told(second) if name.startswith(("workers", "cloud_"))]


def test_refused_settings_are_counted_and_stay_visible_until_they_are_right() -> None:
    metrics = Metrics()
    metrics.configured(is_valid=False)
    assert (told(metrics)["configuration_valid"], told(metrics)["reloads_total['refused']"]) == (0, 1)
    metrics.configured(is_valid=True)
    assert told(metrics)["configuration_valid"] == 1
