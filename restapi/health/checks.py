"""Ask all parts at once how they are, with little patience, and never fail by what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path

from prominence.core import logs
from prominence.core.errors import ProminenceError, Rejected, Unavailable
from prominence.core.health import Finding
from prominence.core.published import read_snapshot
from prominence.core.scaling import LEADER_KEY
from prominence.restapi import beats, plans
from prominence.restapi.health import rules
from prominence.restapi.health.ports import Book, Copied, Daemon, Vitals
from prominence.restapi.services import Services

log = logs.get(__name__)

Check = Callable[[], Sequence[Finding]]

PATIENCE_S = 10.0
"""For all of them: longer than etcd takes to be found silent."""

PROBE = "health"
"""A folder of the object store in which there is nothing."""


def findings(services: Services, patience_s: float = PATIENCE_S) -> list[Finding]:
    """How all parts are."""
    vitals = services.vitals
    checks: dict[str, Check] = {daemon.value: partial(_daemon, daemon, vitals) for daemon in Daemon}
    if vitals.shares:
        checks["shares"] = partial(_shares, vitals)
    checks["etcd"] = partial(_etcd, services)
    checks["objects"] = partial(_objects, services)
    checks |= {name: partial(_book, name, book) for name, book in vitals.books.items()}
    checks["processes"] = partial(_processes, services)
    if vitals.copied is not None:
        checks[rules.COPIED] = partial(_copied, vitals.copied, services)
    checks["scaler"] = partial(_scaler, services)
    checks["clouds"] = partial(_clouds, services)
    checks |= {
        f"disk of {what}": partial(_disk, what, directory, vitals) for what, directory in vitals.directories.items()
    }
    return together(checks, patience_s)


def together(checks: Mapping[str, Check], patience_s: float) -> list[Finding]:
    """What they find, in their order; of one that finds nothing in time it is not known how it is."""
    # A call into a library cannot be broken off: whoever still waits in one is left behind, and the others are not.
    pool = ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="health")
    try:
        running = {part: pool.submit(_careful, part, check) for part, check in checks.items()}
        wait(running.values(), patience_s)
        return [one for part, future in running.items() for one in _of(part, future, patience_s)]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _of(part: str, future: Future[Sequence[Finding]], patience_s: float) -> Sequence[Finding]:
    return future.result() if future.done() else [rules.unclear(part, f"no answer came within {patience_s:g} s")]


def _careful(part: str, check: Check) -> Sequence[Finding]:
    try:
        return check()
    except ProminenceError as error:
        log.warning("a part is not well", part=part, error=str(error))
        return [rules.silent(part, str(error))]
    except Exception as error:
        log.exception("a part could not be checked", part=part, error=repr(error))
        return [rules.unclear(part, "its check made a mistake, which is in the API's log")]


def _daemon(daemon: Daemon, vitals: Vitals) -> list[Finding]:
    return [rules.answers(daemon.value, vitals.daemons.version(daemon))]


def _shares(vitals: Vitals) -> list[Finding]:
    return [rules.of_shares(vitals.shares, vitals.daemons.shares())]


def _etcd(services: Services) -> list[Finding]:
    services.store.get(LEADER_KEY)
    return [rules.answers("etcd")]


def _objects(services: Services) -> list[Finding]:
    services.objects.list(PROBE)
    return [rules.answers("objects")]


def _book(name: str, book: Book) -> list[Finding]:
    return [rules.of_book(name, book.catch_up())]


def _copied(store: Copied, services: Services) -> list[Finding]:
    backlog = store.backlog()
    try:
        store.answers()
    except Unavailable as error:
        return [rules.of_copied(backlog, str(error), services.clock())]
    return [rules.of_copied(backlog, "", services.clock())]


def _disk(what: str, directory: Path, vitals: Vitals) -> list[Finding]:
    return [rules.of_disk(what, directory, vitals.disks.room(directory), vitals.kept_mib)]


def _scaler(services: Services) -> list[Finding]:
    try:
        leader = services.store.get(LEADER_KEY)
    except Unavailable as error:
        return [rules.unclear(part, str(error), "etcd") for part in ("scaler", "imc")]
    latest = plans.latest(services)
    who = leader.value.decode("utf-8", "replace") if leader is not None else None
    found = rules.of_scaler(who, latest.plan, latest.trouble, services.clock())
    imc = rules.of_imc(latest.plan) if latest.plan is not None else rules.unclear("imc", latest.trouble, "scaler")
    return [found, imc]


def _processes(services: Services) -> list[Finding]:
    """Of those that must be there, and of others as far as they were ever heard of."""
    heard, now = beats.heard(services.store), services.clock()
    wanted = services.vitals.processes
    return [rules.of_process(name, heard.get(name), now) for name in wanted if wanted[name] or name in heard]


def _clouds(services: Services) -> list[Finding]:
    return list(_each_cloud(services))


def _each_cloud(services: Services) -> Iterator[Finding]:
    try:
        snapshot = read_snapshot(services.store)
    except Unavailable as error:
        yield rules.unclear("clouds", str(error), "etcd")
        return
    except Rejected:
        yield rules.unclear("clouds", "the scaler is of another version than the API", "scaler")
        return
    now = services.clock()
    if snapshot is None or now - snapshot.taken_at > plans.PLAN_IS_GOOD_FOR:
        yield rules.unclear("clouds", "nothing is heard of the scaler", "scaler")
    elif snapshot.clouds is None:
        yield rules.unclear("clouds", snapshot.unknown.get("clouds", "the scaler did not see them"), "imc")
    else:
        seen_at = snapshot.read_at.get("clouds", snapshot.taken_at)
        yield from (rules.of_cloud(cloud, seen_at, now) for cloud in snapshot.clouds)
