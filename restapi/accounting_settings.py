"""Settings about what usage is worth, and how much of it groups may have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from prominence.core.notifications import EmailAddress
from prominence.core.settings import Settings
from prominence.restapi.budgets.accounts import Budgets
from prominence.restapi.budgets.rules import Action, Budget, Reckoning, in_ms
from prominence.restapi.search_settings import ElasticsearchSettings
from prominence.restapi.shares.rules import Share, problems
from prominence.restapi.usage import Period, Tariff


class BudgetSettings(Settings):
    """How many service units a group may use in a time."""

    group: str = Field(min_length=1, description="The group, by its whole name.")
    units: float = Field(ge=0, le=1e9, description="Service units that it may use.")
    start: date = Field(description="The first day, in UTC.")
    end: date = Field(description="The last day; it counts, too. After it nothing is left until another budget begins.")
    action: Action = Field(
        default=Action.WARN,
        description="What is done when it is used up: those who are named are told (warn); no job is taken that might "
        "use more than is left (refuse); and of those that are queued as many as it leaves no room for are put on hold "
        "until there is (hold). Jobs that run go on.",
    )
    alert: tuple[EmailAddress, ...] = Field(
        default=(), description="Who gets a message when 50, 80, 90 and 100 % of it are used."
    )

    @model_validator(mode="after")
    def _has_a_day(self) -> Self:
        if self.end < self.start:
            raise ValueError("end must not be before start")
        return self

    def budget(self) -> Budget:
        """As the rules have it."""
        return Budget(self.group, in_ms(self.units), Period.of_days(self.start, self.end), self.action, self.alert)


class ShareSettings(Settings):
    """Which part of the pool a group gets while others wait as well."""

    group: str = Field(min_length=1, max_length=256, description="The group, by its whole name.")
    quota: float = Field(gt=0, le=1, allow_inf_nan=False, description="The part of all cores that is the group's.")
    surplus: bool = Field(
        default=True, description="Whether it may have what others leave; otherwise it never has more than its part."
    )
    priority_factor: float | None = Field(
        default=None,
        ge=1,
        le=1e9,
        description="Of groups that are as far from their quotas the one with the smaller goes first; absent: "
        "HTCondor's own.",
    )

    def share(self) -> Share:
        """As the rules have it."""
        return Share(self.group, self.quota, self.surplus, self.priority_factor)


class AccountingSettings(Settings):
    """Where usage is looked up, how many service units an hour is worth, of jobs that are booked from now on, and
    budgets of groups.
    """

    store: Literal["sqlite", "elasticsearch"] = Field(
        default="sqlite",
        description="Where usage is looked up: in the file usage.db (archive.file), or in an Elasticsearch, to which "
        "what is booked in that file is brought.",
    )
    elasticsearch: ElasticsearchSettings | None = Field(default=None, description="The Elasticsearch.")
    core: float = Field(default=1, ge=0, le=10_000, description="Service units of a core in an hour.")
    memory_gib: float = Field(default=0.25, ge=0, le=10_000, description="Of a GiB of memory.")
    gpu: float = Field(default=8, ge=0, le=10_000, description="Of a GPU.")
    summed: bool = Field(
        default=False,
        description="Whether all of a job's parts are added; by default the one that is worth most counts.",
    )
    factor: float = Field(default=1, ge=0, le=10_000, description="By which all of them are multiplied.")
    budgets: tuple[BudgetSettings, ...] = Field(
        default=(), description="Of groups; those that none is declared for may use any number of service units."
    )
    shares: tuple[ShareSettings, ...] = Field(
        default=(),
        description="Of groups; all other jobs share what is left. None: HTCondor shares evenly among users.",
    )
    expected_s: int | None = Field(
        default=None,
        ge=1,
        description="Seconds for which service units are kept for a job in the queue whose walltime is longer; absent: "
        "for its walltime.",
    )
    budgets_interval_s: float = Field(
        default=60, gt=0, le=3600, description="Seconds between looks at the budgets, to hold and release jobs."
    )

    @model_validator(mode="after")
    def _names_its_store(self) -> Self:
        if self.store == "elasticsearch" and self.elasticsearch is None:
            raise ValueError("store is elasticsearch: the section elasticsearch must say where it is")
        return self

    @field_validator("budgets")
    @classmethod
    def _one_at_a_time(cls, budgets: Sequence[BudgetSettings]) -> Sequence[BudgetSettings]:
        ordered = sorted(budgets, key=lambda one: (one.group, one.start))
        twice = [
            f"those of {first.group} from {first.start} and {second.start}"
            for first, second in pairwise(ordered)
            if first.group == second.group and second.start <= first.end
        ]
        if twice:
            raise ValueError(f"a group has one budget at a time, and these overlap: {'; '.join(twice)}")
        return budgets

    @field_validator("shares")
    @classmethod
    def _fit_together(cls, shares: Sequence[ShareSettings]) -> Sequence[ShareSettings]:
        found = list(problems(one.share() for one in shares))
        if found:
            raise ValueError("; ".join(found))
        return shares

    @property
    def copied_to(self) -> ElasticsearchSettings | None:
        """The other store, that is to have all that is booked."""
        return self.elasticsearch if self.store == "elasticsearch" else None

    def tariff(self) -> Tariff:
        """As the accounts need it."""
        return Tariff(self.core, self.memory_gib, self.gpu, self.summed, self.factor)

    def in_all(self) -> Budgets:
        """All budgets, as the services have them."""
        return Budgets(tuple(one.budget() for one in self.budgets), Reckoning(self.tariff(), self.expected_s))
