"""What jobs have kept in the object store, for those who ask for the jobs."""

from __future__ import annotations

from dataclasses import replace

from prominence.core import logs
from prominence.core.errors import Unavailable
from prominence.restapi import areas
from prominence.restapi.objects import Reach
from prominence.restapi.outputs import outputs
from prominence.restapi.presentation import Job
from prominence.restapi.services import Services

log = logs.get(__name__)

ADDRESS_S = 7 * 86_400
"""For so long the address of an output is good, once it was shown."""


def with_outputs(job: Job, services: Services) -> Job:
    """The job with what it kept, if that can be had: a job without is better than none."""
    if job.spec is None or not (job.spec.outputFiles or job.spec.outputDirs):
        return job
    folder = areas.outputs(job.uid)
    try:
        stored = services.objects.list(folder)
    except Unavailable as error:
        log.warning("a job's outputs cannot be looked at", uid=job.uid, error=str(error))
        stored = []
    found = outputs(job.spec, folder, stored, lambda name: services.objects.url_to_get(name, ADDRESS_S, Reach.USERS))
    return replace(job, outputs=found)
