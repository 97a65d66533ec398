"""What is told of budgets. All figures are service units."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from prominence.restapi.answers.words import Epoch, NonNegative
from prominence.restapi.budgets.rules import Action


class BudgetShown(TypedDict):
    """A group's budget that is in force."""

    group: Annotated[str, Field(description="By its whole name.")]
    start: Annotated[str, Field(description="The first day, in UTC.")]
    end: Annotated[str, Field(description="The last day.")]
    action: Annotated[Action, Field(description="What is done when nothing is left.")]
    units: Annotated[NonNegative, Field(description="What the group may use in all, adjustments included.")]
    adjusted: Annotated[float, Field(description="Of that, what was added, or taken away.")]
    used: Annotated[NonNegative, Field(description="By attempts of jobs that have ended in this time.")]
    reserved: Annotated[NonNegative, Field(description="What jobs in the queue may use at most.")]
    left: Annotated[float, Field(description="For new jobs; below 0 where more is used or kept than there is.")]
    isOver: Annotated[bool, Field(description="Its time is over, and no other budget has followed.")]


class Entry(TypedDict):
    """An adjustment."""

    units: Annotated[float, Field(description="So many more; below 0: less.")]
    time: Epoch
    by: Annotated[str, Field(description="The operator who made it.")]
    why: Annotated[str, Field(description="As the operator said.")]
