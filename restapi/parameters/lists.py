"""Parameters that lists of jobs, of members of arrays and of workflows share: which, how many, what of each."""

from __future__ import annotations

from pydantic import Field

from prominence.restapi.parameters.model import Parameters
from prominence.restapi.parameters.words.choices import Fields, Sort, Statuses
from prominence.restapi.parameters.words.dates import Moment
from prominence.restapi.parameters.words.flags import There, Yes
from prominence.restapi.parameters.words.ids import JobIds
from prominence.restapi.parameters.words.numbers import Limit, Number
from prominence.restapi.parameters.words.texts import LabelsOfJobs


class PageParameters(Parameters):
    """Of any list of jobs or workflows."""

    status: Statuses | None = Field(
        default=None, description="Jobs with one of these statuses, with commas between them."
    )
    completed: Yes = Field(
        default=False, description="Jobs that have ended and left the queue, in place of those in the queue."
    )
    all: There = Field(
        default=False, description="Those in the queue and those that have left it. Its presence counts."
    )
    num: Number | None = Field(
        default=None, description="With completed: how many, those that ended last. -1: all there are."
    )
    detail: There = Field(default=False, description="All that is known of each job. Its presence counts.")
    sort: Sort | None = Field(
        default=None,
        description="id, createTime, name or, with completed, endTime; with a - before it the greatest first.",
    )
    limit: Limit | None = Field(default=None, description="How many jobs a page has at most, from 1 to 1000.")
    cursor: str | None = Field(default=None, description="Where to go on, as the answer to the page before said.")

    @property
    def is_paged(self) -> bool:
        """Whether a page is asked for, and not all there is."""
        return any(given is not None for given in (self.sort, self.limit, self.cursor))


class MembersParameters(PageParameters):
    """Of a list of the members of an array, and of any list of jobs."""

    fields: Fields | None = Field(
        default=None, description="What to tell of each job, with commas between the names; id is always told."
    )


class FilterParameters(PageParameters):
    """Of a list of the jobs, or of the workflows, of one user or of many."""

    name: str | None = Field(default=None, description="Jobs with exactly this name.")
    constraint: LabelsOfJobs = Field(
        default=(), description="LABEL=VALUE: jobs with this label. Given several times, all must fit."
    )
    id: JobIds | None = Field(
        default=None, description="Jobs with these ids, with commas between them, whether they have ended or not."
    )
    created_after: Moment | None = Field(default=None, description="Created at this moment or later.")
    created_before: Moment | None = Field(default=None, description="Created before this moment.")
    started_after: Moment | None = Field(default=None, description="Started at this moment or later.")
    started_before: Moment | None = Field(default=None, description="Started before this moment.")
    ended_after: Moment | None = Field(default=None, description="Ended at this moment or later.")
    ended_before: Moment | None = Field(default=None, description="Ended before this moment.")
    user: str | None = Field(default=None, description="Jobs of this user, for those who may see them.")
    group: str | None = Field(default=None, description="Jobs that are charged to this group.")
    everyone: Yes = Field(default=False, description="Jobs of all users, for those who may see them.")
