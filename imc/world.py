"""One look at all clouds and at the pool. What could not be read is unknown, never empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prominence.core.errors import ProminenceError, Unavailable
from prominence.core.machines import Flavour
from prominence.imc.lifecycle import Sight
from prominence.imc.ports import About, Cloud, ExecutePoint, Node, Pool
from prominence.imc.records import Record


@dataclass(frozen=True)
class World:
    """What was seen.

    nodes, flavours: by cloud, of those that could be read. troubles: why the others could not. about: what else is
    known, by cloud. execute_points: None when the collector could not be read, for the reason in pool_trouble.
    """

    nodes: Mapping[str, Mapping[str, Node]] = field(default_factory=dict)
    flavours: Mapping[str, tuple[Flavour, ...]] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, About] = field(default_factory=dict)
    execute_points: Mapping[str, ExecutePoint] | None = None
    pool_trouble: str = ""

    def node_of(self, record: Record) -> Node | Sight:
        """The worker's machine: on the cloud that was asked for it, or a left-over one when none was asked yet."""
        if record.flavour is None:
            found = (nodes[record.name] for nodes in self.nodes.values() if record.name in nodes)
            return next(found, Sight.NOTHING)
        if record.flavour.cloud not in self.nodes:
            # Of a worker that is over nothing was left on a cloud that is declared no more: nobody will look there.
            is_declared = record.flavour.cloud in self.troubles
            return Sight.UNKNOWN if is_declared or not record.phase.is_over else Sight.NOTHING
        return self.nodes[record.flavour.cloud].get(record.name, Sight.NOTHING)

    def execute_point_of(self, record: Record) -> ExecutePoint | Sight:
        """The worker's startd as the collector knows it."""
        if self.execute_points is None:
            return Sight.UNKNOWN
        return self.execute_points.get(record.name, Sight.NOTHING)

    def clouds_with(self, name: str) -> list[str]:
        """Where there is a machine of this name."""
        return [cloud for cloud, nodes in self.nodes.items() if name in nodes]


def look(clouds: Sequence[Cloud], pool: Pool) -> World:
    """Ask each of them once."""
    nodes: dict[str, dict[str, Node]] = {}
    flavours: dict[str, tuple[Flavour, ...]] = {}
    troubles: dict[str, str] = {}
    for cloud in clouds:
        try:
            offered, seen = cloud.flavours(), cloud.nodes()
        except ProminenceError as error:
            troubles[cloud.name] = str(error)
        else:
            flavours[cloud.name] = tuple(offered)
            nodes[cloud.name] = {node.name: node for node in seen}
    about = {cloud.name: cloud.about() for cloud in clouds}
    try:
        return World(nodes, flavours, troubles, about, pool.execute_points())
    except Unavailable as error:
        return World(nodes, flavours, troubles, about, None, str(error))
