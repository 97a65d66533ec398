"""What is to be thought of what the parts answered, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prominence.core import units
from prominence.core.health import Condition, Finding
from prominence.core.machines import CloudStatus
from prominence.core.scaling import ScalingPlan
from prominence.restapi.beats import Beat
from prominence.restapi.copying import Backlog
from prominence.restapi.shares.rules import Quota, Share, differences

COPIED = "usage store"

ADVICE = {
    "schedd": "See that HTCondor runs on the access point (condor_status -schedd), and read its SchedLog.",
    "collector": "See that HTCondor runs on the access point (condor_status -collector), and read its CollectorLog.",
    "negotiator": "See that HTCondor runs on the access point (condor_status -negotiator), and read its NegotiatorLog.",
    "shares": "See that HTCondor's negotiator runs, and read its NegotiatorLog.",
    "etcd": "See that etcd runs, and that etcd_endpoints in the settings of API, scaler and imc are its addresses.",
    "objects": "See the section data of the API's settings: the store or its directory must be there, and open to it.",
    "archive": "See that prominence-archive runs, and read archive.log beside the API's log.",
    "accounting": "See that prominence-archive runs, and read archive.log; if usage.db is lost, take it from a backup.",
    COPIED: "See that Elasticsearch runs, and accounting.elasticsearch in the API's settings; archive.log tells more. "
    "Nothing is lost: what it has not got is sent when it takes it.",
    "scaler": "See that prominence-scaler runs, and read its log.",
    "imc": "See that prominence-imc runs, and read its log.",
    "mail": "See that python3 -m prominence.restapi.mail.main runs, and read mail.log.",
    "webhooks": "See that python3 -m prominence.restapi.webhooks.main runs, and read webhooks.log.",
    "budgets": "See that python3 -m prominence.restapi.budgets.main runs, and read budgets.log.",
    "retention": "See that python3 -m prominence.restapi.retention.main runs, and read retention.log.",
    "metrics": "See that prominence-restapi-metrics runs, and read metrics.log: Prometheus is told nothing of the API.",
    "processes": "See that etcd runs, and that etcd_endpoints in the settings of the API are its addresses.",
}
_OF_CLOUD = "Do what imc says is wrong there; prominence-imc clouds tells more."
_OF_SHARES = "Start HTCondor anew by python3 -m prominence.restapi.shares.main, which tells it of them when it starts."
_OF_DISK = "Make room on that disk, or have less kept there."

LATE = timedelta(minutes=5)
"""What a round may take, with servers in it that do not answer."""

_LATE_S = 120
"""An attempt waits for the store of usage no longer than that where all is well."""

SCARCE = 2
"""So many times what must be free is little."""


@dataclass(frozen=True)
class Room:
    """Of a disk."""

    free_mib: int
    total_mib: int
    writable: bool


def answers(part: str, version: str = "") -> Finding:
    """It answers as it should."""
    return Finding(part, Condition.OK, f"It answers: {version}." if version else "It answers.")


def silent(part: str, why: str) -> Finding:
    """It does not."""
    return Finding(part, Condition.BROKEN, f"It does not answer: {_clause(why)}.", _advice(part))


def unclear(part: str, why: str, look_at: str = "") -> Finding:
    """How it is cannot be told. look_at: the part that is in the way."""
    return Finding(part, Condition.UNKNOWN, f"It is not known: {_clause(why)}.", _advice(look_at or part))


def of_shares(shares: Sequence[Share], found: Mapping[str, Quota]) -> Finding:
    """Of groups: as they are declared, and as the negotiator has them."""
    if wrong := differences(shares, found):
        return Finding("shares", Condition.WARNING, f"The negotiator does otherwise: {'; '.join(wrong)}.", _OF_SHARES)
    told = (
        f"{one.group} {one.quota:g} ({found[one.name].used:g} of {found[one.name].cores:g} cores)" for one in shares
    )
    return Finding("shares", Condition.OK, f"Groups have their shares: {', '.join(told)}.")


def of_book(part: str, is_current: bool) -> Finding:
    """What is made of HTCondor's history."""
    if is_current:
        return Finding(part, Condition.OK, "All that HTCondor's history tells is booked.")
    sentence = "It is behind HTCondor's history: jobs that have ended are missing."
    return Finding(part, Condition.WARNING, sentence, ADVICE[part])


def of_copied(backlog: Backlog, trouble: str, now: datetime) -> Finding:
    """The store to which the accounts are brought. trouble: why it does not answer."""
    since = now if backlog.since is None else datetime.fromtimestamp(backlog.since, UTC)
    waits = (
        f"{backlog.waiting} attempts wait for it, for {_age(since, now)}" if backlog.waiting else "Nothing waits for it"
    )
    if trouble:
        return Finding(COPIED, Condition.BROKEN, f"{trouble} {waits}.", ADVICE[COPIED])
    if backlog.refused:
        sentence = f"It refuses {backlog.refused} attempts, which are missing there: {_clause(backlog.why)}."
        return Finding(COPIED, Condition.WARNING, sentence, ADVICE[COPIED])
    if backlog.waiting and (now - since).total_seconds() > _LATE_S:
        return Finding(COPIED, Condition.WARNING, f"It is behind the accounts: {waits}.", ADVICE[COPIED])
    return Finding(COPIED, Condition.OK, "It has all that is booked." if not backlog.waiting else f"{waits}.")


def of_disk(what: str, directory: Path, room: Room, kept_mib: int) -> Finding:
    """kept_mib: that must be free."""
    part, free = f"disk of {what}", f"Of {directory}'s disk {room.free_mib} of {room.total_mib} MiB are free"
    if not room.writable:
        advice = f"Give {directory} to the account that the API runs as, on a disk that is not read-only."
        return Finding(part, Condition.BROKEN, f"The API may not write to {directory}.", advice)
    if room.free_mib < kept_mib:
        sentence = f"{free}, fewer than the {kept_mib} that must be: new jobs are refused."
        return Finding(part, Condition.BROKEN, sentence, _OF_DISK)
    if room.free_mib < SCARCE * kept_mib:
        sentence = f"{free}; with fewer than {kept_mib} new jobs are refused."
        return Finding(part, Condition.WARNING, sentence, _OF_DISK)
    return Finding(part, Condition.OK, f"{free}.")


def of_scaler(leader: str | None, plan: ScalingPlan | None, trouble: str, now: datetime) -> Finding:
    """leader: who leads, None: nobody. trouble: a clause that says why there is no plan."""
    if leader is None:
        sentence = "None leads: jobs that wait get no new machines."
        return Finding("scaler", Condition.BROKEN, sentence, ADVICE["scaler"])
    if plan is None:
        sentence = f"{leader} leads, but {_clause(trouble)}."
        return Finding("scaler", Condition.BROKEN, sentence, ADVICE["scaler"])
    parts = plan.inputs.parts if plan.inputs is not None else {}
    unseen = [parts[name].trouble for name in ("demand", "execute_points") if name in parts and parts[name].trouble]
    age = _age(plan.made_at, now)
    if unseen:
        sentence = f"{leader} leads, and does not see all of HTCondor: {'; '.join(map(_clause, unseen))}."
        return Finding("scaler", Condition.WARNING, sentence, ADVICE["scaler"])
    return Finding("scaler", Condition.OK, f"{leader} leads; its last plan is {age} old.")


def of_imc(plan: ScalingPlan) -> Finding:
    """As the scaler last saw it."""
    parts = plan.inputs.parts if plan.inputs is not None else {}
    troubles = [parts[name].trouble for name in ("workers", "clouds") if name in parts and parts[name].trouble]
    if troubles:
        return silent("imc", "; ".join(dict.fromkeys(map(_clause, troubles))))
    return Finding("imc", Condition.OK, "It answers the scaler.")


def of_process(part: str, beat: Beat | None, now: datetime) -> Finding:
    """Of one that goes round beside the API. beat: when it was heard of last; None: never."""
    if beat is None:
        return Finding(part, Condition.BROKEN, "It was never heard of.", ADVICE[part])
    age = _age(beat.at, now)
    if now > beat.at + timedelta(seconds=beat.next_s) + LATE:
        return Finding(part, Condition.BROKEN, f"It was last heard of {age} ago.", ADVICE[part])
    if beat.trouble:
        return Finding(
            part, Condition.WARNING, f"Its last round failed, {age} ago: {_clause(beat.trouble)}.", ADVICE[part]
        )
    return Finding(part, Condition.OK, f"It was heard of {age} ago.")


def of_cloud(cloud: CloudStatus, seen_at: datetime, now: datetime) -> Finding:
    """seen_at: when the scaler last saw it."""
    part, age = f"cloud {cloud.name}", _age(seen_at, now)
    if cloud.error:
        retry = f" It is tried again at {cloud.retry_at:%Y-%m-%d %H:%M:%S} UTC." if cloud.retry_at is not None else ""
        sentence = f"No workers are made there: {_clause(cloud.error)}, as of {age} ago.{retry}"
        return Finding(part, Condition.BROKEN, sentence, _OF_CLOUD)
    if cloud.troubles:
        sentence = f"Flavours are left alone there, as of {age} ago: {', '.join(sorted(cloud.troubles))}."
        return Finding(part, Condition.WARNING, sentence, _OF_CLOUD)
    sentence = f"It has {cloud.occupied} of {cloud.limit} workers, as of {age} ago."
    return Finding(part, Condition.OK, sentence)


def _advice(part: str) -> str:
    return ADVICE.get(part, "Read the API's log.")


def _age(then: datetime, now: datetime) -> str:
    return units.plainly(max(0, round((now - then).total_seconds())))


def _clause(said: str) -> str:
    return said.strip().rstrip(".") or "it does not say why"
