"""How a job is treated while it waits, when it fails and among its user's other jobs, as users write it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from prominence.core.files import HomePath
from prominence.core.placement import PLACE_NAME, Placement
from prominence.core.validation import WHOLE, Spelling, Strict, Unit

MOST_MINUTES_IN_QUEUE = 44_640
"""A month of 31 days."""

MOST_PLACES = 20
"""Names in one list."""

Retries = Annotated[int, Field(ge=0, le=6), WHOLE]


def _not_too_many(value: Any) -> Any:
    """Looked at before what is in it."""
    if isinstance(value, list | tuple) and len(value) > MOST_PLACES:
        raise ValueError(f"must be at most {MOST_PLACES} names, not {len(value)}")
    return value


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"{name} is there twice")
    return names


PlaceName = Annotated[
    str,
    Spelling(PLACE_NAME, "must be the name of a site or region: letters (a to z), digits and _ . - only, 63 at most"),
]
PlaceNames = Annotated[
    tuple[PlaceName, ...],
    BeforeValidator(_not_too_many),
    AfterValidator(_each_once),
    Field(json_schema_extra={"maxItems": MOST_PLACES, "uniqueItems": True}),
]


class RequiredPlaces(Strict):
    """Where the job may run. Sites and regions that both are named must both be right."""

    sites: PlaceNames = Field(
        default=(), strict=False, description="On one of these, by their whole names; []: on any."
    )
    regions: PlaceNames = Field(default=(), strict=False, description="In one of these, by their whole names; []: any.")


class PreferredPlaces(Strict):
    """Where the job had rather run, if it can be had: the best first. A better site comes before a better region."""

    sites: PlaceNames = Field(default=(), strict=False, description="The best first; all others come behind them.")
    regions: PlaceNames = Field(default=(), strict=False, description="The best first; all others come behind them.")


class PlacementPolicy(Strict):
    """Where the job may run and where it had rather run. A site is one of the service's clouds."""

    requirements: RequiredPlaces = Field(default_factory=RequiredPlaces, description="Where it may run.")
    preferences: PreferredPlaces = Field(default_factory=PreferredPlaces, description="Where it had rather run.")


class Checkpoint(Strict):
    """What of the job's home is saved now and then, for the next attempt to go on from."""

    path: HomePath = Field(description="A file or directory, by its path in the job's home.")
    interval: Annotated[float, Field(ge=0.1, le=MOST_MINUTES_IN_QUEUE), Unit("minutes")] = Field(
        default=10, description="Time between two checkpoints."
    )


class Policies(Strict):
    """Without any, a failure of a task is the job's, and a job waits for as long as it takes."""

    ADDED: ClassVar[frozenset[str]] = frozenset({"checkpoint"})

    maximumRetries: Retries = Field(
        default=0,
        description="How often the job runs again when it has failed, on whichever worker. What goes wrong with a "
        "worker does not count.",
    )
    maximumTaskRetries: Retries = Field(
        default=0,
        description="How often a task is run again at once, on the same worker, when it has ended with another exit "
        "code than 0.",
    )
    maximumTimeInQueue: Annotated[int, Field(ge=-1, le=MOST_MINUTES_IN_QUEUE), WHOLE, Unit("minutes")] = Field(
        default=0,
        description="How long the job may wait for a worker at a stretch; 0 or -1: any time.",
    )
    priority: Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE] = Field(
        default=0, description="Among its user's own jobs; larger first."
    )
    ignoreTaskFailures: bool = Field(
        default=False,
        description="Whether the tasks behind one that fails run all the same. The job has failed nevertheless.",
    )
    reportJobSuccessOnTaskFailure: bool = Field(
        default=False,
        description="Whether the job counts as completed although a task has failed, so that only what goes wrong with "
        "the service makes it fail.",
    )
    runSerialTasksOnAllNodes: bool = Field(
        default=False,
        description="Whether tasks that no MPI starts run on all nodes of a job that has several, and not on the first "
        "alone.",
    )
    leaveInQueue: bool = Field(
        default=False,
        description="Whether the job stays in the queue after its end, until it is removed; 90 days at most.",
    )
    placement: PlacementPolicy = Field(
        default_factory=PlacementPolicy,
        description="Where the job may run and where it had rather run: by sites and regions.",
    )

    preemptible: bool = Field(
        default=True,
        description="Whether it may run on machines that their cloud can take away at any time, where the service has "
        "such. One that is interrupted is queued again.",
    )

    checkpoint: Checkpoint | None = Field(
        default=None,
        description="What is saved while the job runs, and is there again when it has to begin anew on another worker.",
    )

    def places(self) -> Placement:
        """`placement`, as those know it who look for a place."""
        return Placement.model_validate(self.placement.model_dump())
