"""What a running job asks for by its own token: where its inputs are, where its outputs and checkpoints go."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask.typing import ResponseReturnValue

from prominence.core.errors import NotFound, QuotaReached
from prominence.restapi import checkpoints, grants, passed
from prominence.restapi.answers.data import (
    CheckpointAddress,
    InputAddress,
    PassedNames,
    PutAddress,
)
from prominence.restapi.checkpoints import LatestCheckpoint, WantedCheckpoint
from prominence.restapi.grants import Input, WantedInput, WantedOutput
from prominence.restapi.objects import Put
from prominence.restapi.operations import Access, Answer, Content, json
from prominence.restapi.passed import WantedNames, WantedPassed
from prominence.restapi.routes.noun import Noun
from prominence.restapi.routes.reading import body, token
from prominence.restapi.services import Services


def blueprint(services: Services) -> Noun:
    """All of them, on these services."""
    routes = Noun("staging", about="data")
    _inputs(routes, services)
    _outputs(routes, services)
    _checkpoints(routes, services)
    return routes


def _inputs(routes: Noun, services: Services) -> None:
    @routes.serves(
        "POST /data/input",
        "Where the running job gets an object that is one of its artifacts",
        Access.A_JOB,
        json("Where it is.", InputAddress, 201),
        body=Content(WantedInput),
    )
    def job_input() -> ResponseReturnValue:
        return _told(grants.input_address(token(), body(), services)), 201

    @routes.serves(
        "POST /data/passed",
        "What another job of its workflow passes to the running job",
        Access.A_JOB,
        json("Its outputs.", PassedNames),
        body=Content(WantedNames),
    )
    def job_passed() -> ResponseReturnValue:
        return asdict(passed.names(token(), body(), services))

    @routes.serves(
        "POST /data/passed/input",
        "Where the running job gets one of them",
        Access.A_JOB,
        json("Where it is.", InputAddress, 201),
        body=Content(WantedPassed),
    )
    def job_passed_input() -> ResponseReturnValue:
        return _told(passed.address(token(), body(), services)), 201


def _outputs(routes: Noun, services: Services) -> None:
    @routes.serves(
        "POST /data/output",
        "Where the running job puts one of its outputs",
        Access.A_JOB,
        json("Where to.", PutAddress, 201),
        body=Content(WantedOutput),
        refuses=(QuotaReached,),
    )
    def job_output() -> ResponseReturnValue:
        allowed = grants.output_address(token(), body(), services)
        return _shown(allowed), 201


def _checkpoints(routes: Noun, services: Services) -> None:
    @routes.serves(
        "POST /data/checkpoint",
        "Where the running job puts its next checkpoint",
        Access.A_JOB,
        json("Where to, and what it is called.", CheckpointAddress, 201),
        body=Content(WantedCheckpoint),
        refuses=(QuotaReached,),
    )
    def job_checkpoint() -> ResponseReturnValue:
        name, allowed = checkpoints.place(token(), body(), services)
        return {"name": name, **_shown(allowed)}, 201

    @routes.serves(
        "POST /data/checkpoint/latest",
        "The running job has put a checkpoint there: from now on it is the one that counts",
        Access.A_JOB,
        {204: Answer("It is the latest.")},
        body=Content(LatestCheckpoint),
    )
    def job_checkpoint_is_there() -> ResponseReturnValue:
        checkpoints.accept(token(), body(), services)
        return "", 204

    @routes.serves(
        "POST /data/checkpoint/restore",
        "Where the running job gets its latest checkpoint",
        Access.A_JOB,
        json("Where it is.", InputAddress, 201),
        refuses=(NotFound,),
    )
    def job_latest_checkpoint() -> ResponseReturnValue:
        return asdict(checkpoints.latest(token(), services)), 201


def _told(found: Input) -> dict[str, Any]:
    return {name: value for name, value in asdict(found).items() if value is not None}


def _shown(allowed: Put) -> dict[str, Any]:
    shown: dict[str, Any] = {"url": allowed.url, **({"headers": dict(allowed.headers)} if allowed.headers else {})}
    return {**shown, "tells_checksum": True} if allowed.tells_checksum else shown
