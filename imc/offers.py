"""Where a worker could go now, for people: a question, and all offers and refusals. Nothing is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from prominence.core import classads
from prominence.core.machines import CloudStatus, Flavour, Size, WorkerRequest
from prominence.core.placement import Area
from prominence.core.validation import Document, Strict
from prominence.imc.placement import place, view


class PlacementQuestion(Strict):
    """Body of `POST /v1/placements`; as in a `WorkerRequest`."""

    size: Size
    cloud: str = ""
    flavour: str = ""
    within: Area = Area()
    groups: Annotated[tuple[str, ...], Field(strict=False)] = ()


class RefusalTold(Document):
    """Why a flavour, or with flavour "" the whole cloud, is no offer. never: nor will it be one day."""

    cloud: str
    flavour: str
    reason: str
    never: bool


class PlacementAnswer(Document):
    """offers: the best first. is_hopeless: no flavour of any cloud will ever do."""

    offers: tuple[Flavour, ...]
    refusals: tuple[RefusalTold, ...]
    is_hopeless: bool


def answer(question: PlacementQuestion, clouds: Sequence[CloudStatus]) -> PlacementAnswer:
    """With the clouds as the reconciler saw them last."""
    request = WorkerRequest(
        size=question.size,
        cloud=question.cloud,
        flavour=question.flavour,
        within=question.within,
        groups=tuple(classads.accounting_name(group) for group in question.groups),
        reason="only a question",
        fence=0,
    )
    placement = place(request, [view(status) for status in clouds])
    told = {(one.cloud, one.flavour, one.reason): one for one in placement.refusals}  # a full cloud's is each flavour's
    return PlacementAnswer(
        offers=placement.offers,
        refusals=tuple(
            RefusalTold(cloud=one.cloud, flavour=one.flavour, reason=one.reason, never=one.never)
            for one in told.values()
        ),
        is_hopeless=placement.is_hopeless,
    )
