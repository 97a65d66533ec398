"""Where a job may run and had rather run, in HTCondor's words. Pure.

What the job says stands in its ad, by name, and all jobs have the same Requirements: so a change of the places is a
change of these attributes, and the scaler reads the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from prominence.core import classads
from prominence.core.placement import Area, Placement

MOST_CPUS = 100_000
"""More cores than any machine has: a better place comes before more cores."""


def requirements() -> list[str]:
    """What must hold of a slot, for the job that says so."""
    pairs = ((classads.SITES, classads.CLOUD), (classads.REGIONS, classads.REGION))
    return [
        f"(isUndefined(MY.{said}) || stringListMember(TARGET.{attribute}, MY.{said}) =?= true)"
        for said, attribute in pairs
    ]


def attributes(places: Placement) -> dict[str, str]:
    """Of the job, as submit commands."""
    texts = zip(classads.PLACEMENT, places.texts(), strict=True)
    return {f"My.{name}": classads.quote(text) for name, text in texts if text}


def rank(preferences: Area, cpus: str = "") -> str:
    """How good a slot is, larger is better; "" where all are alike. cpus: counts where the places are equally good."""
    terms = [
        _value(classads.CLOUD, preferences.sites, len(preferences.regions) + 1),
        _value(classads.REGION, preferences.regions, 1),
    ]
    place = " + ".join(term for term in terms if term)
    if not place:
        return cpus
    return f"({place}) * {MOST_CPUS} + {cpus}" if cpus else place


def _value(attribute: str, names: Sequence[str], weight: int) -> str:
    """The first name is worth most, and what is not among them nothing."""
    value = "0"
    for index, name in enumerate(reversed(names), start=1):
        value = f"ifThenElse(TARGET.{attribute} =?= {classads.quote(name)}, {index * weight}, {value})"
    return value if names else ""
