"""What HTCondor is told of groups' shares, and whether it holds to them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction

import tomli_w

from prominence.core import classads

PREFIX = "_CONDOR_"
"""Of variables of the environment that HTCondor takes for settings."""


@dataclass(frozen=True)
class Share:
    """Of one group. quota: which part of all cores. surplus: whether it may have what the others leave.

    priority_factor: among groups that are as far from their quotas the one with the smaller goes first; None: the
    usual one.
    """

    group: str
    quota: float
    surplus: bool = True
    priority_factor: float | None = None

    @property
    def name(self) -> str:
        """As HTCondor knows the group."""
        return classads.accounting_name(self.group)


@dataclass(frozen=True)
class Quota:
    """As the negotiator has it. cores: that it comes to now. used: of these."""

    configured: float
    surplus: bool
    cores: float
    used: float


def problems(shares: Iterable[Share]) -> Iterator[str]:
    """What is wrong with them together."""
    told = list(shares)
    for place, one in enumerate(told):
        for other in told[:place]:
            if other.group == one.group:
                yield f"{ascii(one.group)} is there twice"
            elif other.name.lower() == one.name.lower():
                yield f"{ascii(other.group)} and {ascii(one.group)} are one to HTCondor, which does not tell A from a"
    total = sum((Fraction(str(one.quota)) for one in told), Fraction(0))
    if total > 1:
        yield f"all quotas together must be at most 1, not {float(total):g}"


def as_settings(shares: Iterable[Share]) -> str:
    """The same shares as a file of the API's settings, which has nothing else."""
    tables = [{name: value for name, value in asdict(one).items() if value is not None} for one in shares]
    return tomli_w.dumps({"accounting": {"shares": tables}})


def configuration(shares: Iterable[Share]) -> dict[str, str]:
    """HTCondor's settings, by their names; none where nobody has a share.

    Names of groups are part of names of settings here, and may hold - and %, which no file of settings takes: HTCondor
    gets them from its environment.
    """
    told = list(shares)
    if not told:
        return {}
    # The schedd fills a machine of which it has got a part with more jobs of the same user, without asking the
    # negotiator, who knows the shares; so it must not.
    found = {"CLAIM_PARTITIONABLE_LEFTOVERS": "False", "GROUP_NAMES": ", ".join(one.name for one in told)}
    for one in told:
        found[f"GROUP_QUOTA_DYNAMIC_{one.name}"] = f"{one.quota:.9f}"
        found[f"GROUP_ACCEPT_SURPLUS_{one.name}"] = str(one.surplus)
        if one.priority_factor is not None:
            found[f"GROUP_PRIO_FACTOR_{one.name}"] = f"{one.priority_factor:.9g}"
    return found


def environment(shares: Iterable[Share]) -> dict[str, str]:
    """The same as variables."""
    return {PREFIX + name: value for name, value in configuration(shares).items()}


def differences(shares: Iterable[Share], found: Mapping[str, Quota]) -> list[str]:
    """In what the negotiator does not do as it is told."""
    wanted = {one.name: one for one in shares}
    told = [f"it knows no share of {wanted[name].group}" for name in wanted if name not in found]
    told += [f"it has a share of {name}, which is not in the settings" for name in found if name not in wanted]
    for name in wanted.keys() & found.keys():
        one, other = wanted[name], found[name]
        if abs(one.quota - other.configured) > 1e-6 or one.surplus != other.surplus:
            told.append(f"its share of {one.group} is {other.configured:g}, and {one.quota:g} in the settings")
    return sorted(told)
