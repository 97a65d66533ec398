"""What a workflow's job is passed by others, as orders to the executor and as what the job may read. Pure."""

from __future__ import annotations

from prominence.core.job import JobSpec
from prominence.core.passing import passings
from prominence.core.plan import PlannedPassed
from prominence.core.substitution import any_value
from prominence.core.workflow import WorkflowSpec
from prominence.restapi.ledger import Source


def planned(spec: WorkflowSpec, job: JobSpec) -> tuple[PlannedPassed, ...]:
    """For the plan of the job's instances."""
    at_the_end = {one.name for one in spec.at_the_end.values()}
    return tuple(
        PlannedPassed(
            job=way.passed.job,
            select=way.passed.select or "",
            instances=way.instances if way.numbered else 1,
            numbered=way.numbered,
            directory=way.directory,
            executable=way.passed.executable,
            may_be_missing=job.name in at_the_end,
        )
        for way in passings(spec, job)
    )


def sources(spec: WorkflowSpec, job: JobSpec) -> tuple[Source, ...]:
    """For the record of the job's instances, in the same order. They share it, so that in what is selected any value
    may stand in a parameter's place."""
    return tuple(
        Source(
            giver=way.giver,
            instances=way.instances,
            in_pairs=way.in_pairs,
            select=any_value(way.passed.select or ""),
            directories=tuple(map(any_value, spec.jobs[way.giver].outputDirs)),
        )
        for way in passings(spec, job)
    )
