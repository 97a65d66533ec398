"""What a webhook is sent, how that is signed, and what its answers mean. Pure.

Ids, time and signature are as the Standard Webhooks specification has them, for which there are libraries in most
languages: https://www.standardwebhooks.com
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from prominence.core import classads
from prominence.core.states import ENDED
from prominence.core.view import JobAd, JobView
from prominence.core.workflow_view import is_workflow, progress

SECRET_PREFIX = "whsec_"
GONE = 410


class Trouble(StrEnum):
    """Why a call was not taken. The words stay."""

    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    NOT_ENCRYPTED = "NotEncrypted"
    NAME_UNKNOWN = "NameUnknown"
    UNREACHABLE = "Unreachable"
    CERTIFICATE_REFUSED = "CertificateRefused"
    TIMED_OUT = "TimedOut"
    NOT_HTTP = "NotHttp"
    REDIRECTED = "Redirected"
    REFUSED = "Refused"
    FAILED = "Failed"
    GONE = "Gone"


SENTENCES = {
    Trouble.ADDRESS_NOT_ALLOWED: "Its host has no address that this service calls.",
    Trouble.NOT_ENCRYPTED: "Its address must begin with https://.",
    Trouble.NAME_UNKNOWN: "The name of its host is not known.",
    Trouble.UNREACHABLE: "No connection to its host can be made, or it breaks.",
    Trouble.CERTIFICATE_REFUSED: "Its host shows no certificate that is trusted, or none of its name.",
    Trouble.TIMED_OUT: "It does not answer in time; answer first, and work then.",
    Trouble.NOT_HTTP: "What it answers is not HTTP.",
    Trouble.REDIRECTED: "It answers with another address, and those are not followed; register that one.",
    Trouble.REFUSED: "It answers that the call is wrong (4xx).",
    Trouble.FAILED: "It answers that it has failed (5xx).",
    Trouble.GONE: "It answers that it wants no more calls (410), and gets none; delete it, and register another.",
}


def meaning(status: int) -> Trouble | None:
    """Of an answer; None: the call was taken."""
    if 200 <= status < 300:
        return None
    if status == GONE:
        return Trouble.GONE
    if status < 400:
        return Trouble.REDIRECTED
    return Trouble.REFUSED if status < 500 else Trouble.FAILED


def headers(secret: str, message: str, body: str, now: datetime) -> dict[str, str]:
    """That a call has, at this moment. secret: as its owner knows it."""
    moment = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.digest(key, f"{message}.{moment}.{body}".encode(), hashlib.sha256)
    return {
        "webhook-id": message,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        "Content-Type": "application/json",
    }


def message_id(*of: str) -> str:
    """The same for the same fact whenever it is made."""
    return f"msg_{hashlib.sha256(json.dumps(of).encode()).hexdigest()[:32]}"


def body(event: str, at: datetime, data: Mapping[str, Any]) -> str:
    """What is sent: JSON of plain characters."""
    return json.dumps({"type": event, "timestamp": at.isoformat(timespec="seconds"), "data": data})


def of_job(ad: JobAd, job: JobView) -> dict[str, Any]:
    """What is told of a job, or a workflow, that has ended."""
    assert job.status in ENDED
    told: dict[str, Any] = {
        "id": int(ad[classads.CLUSTER_ID]),
        "name": str(ad.get(classads.JOB_NAME, "")),
        "user": str(ad.get(classads.IDENTITY, "")),
        "group": str(ad.get(classads.GROUP, "")),
        "status": job.status.value,
    }
    if is_workflow(ad):
        told["progress"] = dict(progress(ad))
    if job.reason is not None:
        told["reason"] = job.reason.value
        told["statusReason"] = job.sentence
    if job.exit_code is not None:
        told["exitCode"] = job.exit_code
    return {**told, "events": {name: int(at) for name, at in job.events.items()}}
