"""Where a job may run and where it had rather run, by the names of sites and regions. A site is one of our clouds.

Machines that meet the requirements of the same waiting jobs are of one kind. A kind has a number, which means something
within one snapshot alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from prominence.core.validation import Document

PLACE_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
"""Of a cloud or a region: no comma and no space, so that a job's ad can hold several in one text."""


UNKNOWN_KIND = -1


class Place(NamedTuple):
    """Where a machine is; "" where nobody tells. kind: of the machine."""

    cloud: str = ""
    region: str = ""
    kind: int = 0

    @property
    def region_of_it(self) -> Place:
        """The same for machines of any kind."""
        return Place(self.cloud, self.region)


class Area(Document):
    """Sites and regions by their whole names. None of a kind: of that kind any."""

    sites: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()

    @property
    def is_everywhere(self) -> bool:
        """Nothing is said."""
        return not self.sites and not self.regions

    def holds(self, place: Place) -> bool:
        """Whether the place is in it."""
        return (not self.sites or place.cloud in self.sites) and (not self.regions or place.region in self.regions)

    def and_in(self, other: Area) -> Area:
        """What lies in both. They must have a place in common: nothing at all is no area."""
        return Area(sites=_in_both(self.sites, other.sites), regions=_in_both(self.regions, other.regions))


class Placement(Document):
    """What one job says. requirements: where it must run; preferences: where it had rather run, the best first.

    kinds: those of machines that meet what else it requires; None: all do.
    closed: sites that are not open to it, whatever it says. A job's ad does not hold them.
    """

    requirements: Area = Area()
    preferences: Area = Area()
    kinds: tuple[int, ...] | None = None
    closed: tuple[str, ...] = ()

    @property
    def is_anywhere(self) -> bool:
        """The job may run on all machines that have room."""
        return self.requirements.is_everywhere and self.kinds is None and not self.closed

    def takes(self, place: Place) -> bool:
        """Whether the job may run there."""
        is_open = place.cloud not in self.closed and (self.kinds is None or place.kind in self.kinds)
        return is_open and self.requirements.holds(place)

    def as_said(self) -> Placement:
        """Without the numbers of one snapshot, and what others say of it."""
        is_bare = self.kinds is None and not self.closed
        return self if is_bare else self.model_copy(update={"kinds": None, "closed": ()})

    def distance(self, place: Place) -> int:
        """0 for the place that is preferred to all others; of two sites the better one counts before any region."""
        sites, regions = self.preferences.sites, self.preferences.regions
        return _position(place.cloud, sites) * (len(regions) + 1) + _position(place.region, regions)

    def texts(self) -> tuple[str, ...]:
        """For a job's ad (`classads.PLACEMENT`): names with commas between them. Different placements differ here."""
        areas = (self.requirements, self.preferences)
        return tuple(",".join(names) for area in areas for names in (area.sites, area.regions))


def of_texts(texts: Iterable[object]) -> Placement:
    """What `Placement.texts` made. What is no text says nothing."""
    sites, regions, preferred_sites, preferred_regions = (_names(text) for text in texts)
    return Placement(
        requirements=Area(sites=sites, regions=regions),
        preferences=Area(sites=preferred_sites, regions=preferred_regions),
    )


def _names(text: object) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name) if isinstance(text, str) else ()


def _in_both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    if not one or not other:
        return one or other
    return tuple(name for name in one if name in other)


def _position(name: str, names: tuple[str, ...]) -> int:
    """What is not in the list comes behind all that is."""
    return names.index(name) if name in names else len(names)
