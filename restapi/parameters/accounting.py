"""Parameters of accounting."""

from __future__ import annotations

from pydantic import Field

from prominence.restapi.parameters.model import Parameters
from prominence.restapi.parameters.words.dates import Day
from prominence.restapi.parameters.words.flags import Yes
from prominence.restapi.parameters.words.usage import Form, FormOfTable, Owners, Theirs, ToldApartBy


class UsageParameters(Parameters):
    """Of what has been used."""

    start: Day = Field(description="The first day, in UTC.")
    end: Day = Field(description="The last day; it counts, too.")
    by_group: Yes = Field(
        default=False, alias="by_group", description="The sums of groups: your own, and with show_all_users more."
    )
    show_all_users: Yes = Field(
        default=False,
        alias="show_all_users",
        description="All users that you may see, for operators and managers of groups.",
    )


class GroupedParameters(Parameters):
    """Of what has been used, told apart."""

    by: ToldApartBy = Field(description="What each row is of, such as user,month; labels as label:NAME.")
    start: Day = Field(description="The first day, in UTC.")
    end: Day = Field(description="The last day; it counts, too.")
    of: Owners = Field(
        default=Theirs.ME,
        description="Whose: your own, what is charged to your groups, or all that you may see as an operator or as the "
        "manager of a group.",
    )
    form: FormOfTable = Field(default=Form.JSON, alias="format", description="How it is written.")
