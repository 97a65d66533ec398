"""What is the same of all clouds through Libcloud: when they are asked, what comes of a machine that ends at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from libcloud.compute.base import Node, NodeImage, NodeSize
from libcloud.compute.types import NodeState

from prominence.core.errors import CloudError, OutOfCapacity, ProminenceError, QuotaExceeded, Unavailable
from prominence.core.machines import Market, Size
from prominence.core.validation import parse
from prominence.imc.adapters import cloud_errors
from prominence.imc.adapters.libcloud import LibcloudCloud
from prominence.imc.adapters.libcloud_provider import Offer
from prominence.imc.declared_machines import EC2Settings

DECLARED = {"type": "ec2", "region": "r", "credentials_file": "/c", "image": {"id": "i"}, "flavours": ["*"]}


class Pretended:
    """A provider whose machines a test makes."""

    errors = cloud_errors.EC2
    notices = ""

    def __init__(self) -> None:
        self.now = 0.0
        self.there: list[Node] = []
        self.made: Callable[[str], Node] = self.machine
        self.trouble_s: float | None = None
        self.asked = 0

    def machine(self, name: str, state: str = NodeState.RUNNING, reason: str = "") -> Node:
        made = datetime.fromtimestamp(self.now, UTC)
        return Node(str(len(self.there)), name, state, [], [], None, extra={"reason": reason}, created_at=made)

    def cloud(self) -> LibcloudCloud:
        provider: Any = self
        return LibcloudCloud("amazon", parse(EC2Settings, DECLARED), provider, lambda: self.now, self.pause)

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def connect(self) -> object:
        return object()

    def machines(self, _: object) -> list[Node]:
        return list(self.there)

    def sizes(self, _: object) -> list[NodeSize]:
        self.asked += 1
        if self.trouble_s is not None:
            self.now += self.trouble_s
            raise TimeoutError
        return [NodeSize("s", "s", 4000, 0, 0, 0.0, None)]

    def images(self, _: object) -> list[NodeImage]:
        return [NodeImage("i", "i", None)]

    def size(self, offered: NodeSize) -> Size:
        return Size(cpus=2, memory_mib=int(offered.ram), disk_mib=0)

    def create(self, _: object, name: str, offer: Offer, *more: object) -> None:
        assert offer.market is Market.ON_DEMAND
        self.there.append(self.made(name))

    def is_leaving(self, _: Node) -> bool:
        return False

    def fault(self, machine: Node) -> str:
        return str(machine.extra["reason"])

    def before_deletion(self, *_: object) -> None:
        """Nothing is left."""

    def clear(self, *_: object) -> None:
        """Nothing is left."""


def test_a_cloud_whose_flavours_cannot_be_read_is_left_alone_for_a_while() -> None:
    provider = Pretended()
    provider.trouble_s = 20
    cloud = provider.cloud()
    for _ in range(10):
        with pytest.raises(Unavailable):
            cloud.flavours()
    assert provider.asked == 1
    provider.now += 60
    with pytest.raises(Unavailable):
        cloud.flavours()
    assert provider.asked == 2
    provider.trouble_s = None
    provider.now += 60
    assert [flavour.name for flavour in cloud.flavours()] == ["s"]


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("Server.InsufficientInstanceCapacity: Insufficient capacity", OutOfCapacity),
        ("Server.SpotInstanceTermination: Spot instance termination", OutOfCapacity),
        ("Client.VolumeLimitExceeded: Volume limit exceeded", QuotaExceeded),
        ("Client.InternalError: Client error on launch", CloudError),
        ("", Unavailable),
    ],
)
def test_a_machine_that_ends_at_once_is_refused_for_the_reason_that_is_told(
    reason: str, error: type[ProminenceError]
) -> None:
    provider = Pretended()
    cloud = provider.cloud()
    provider.there = [provider.machine("w-1", NodeState.TERMINATED, "of another time")]
    provider.now += 3600
    provider.made = lambda name: provider.machine(name, NodeState.TERMINATED, reason)
    with pytest.raises(error) as caught:
        cloud.create("w-1", cloud.flavours()[0], [])
    assert type(caught.value) is error and (reason or "does not list it") in str(caught.value)


def test_of_what_ended_before_nothing_is_held_against_a_machine_that_is_there() -> None:
    provider = Pretended()
    cloud = provider.cloud()
    provider.there = [provider.machine("w-1", NodeState.TERMINATED, "Client.VolumeLimitExceeded")]
    cloud.create("w-1", cloud.flavours()[0], [])
    assert [node.name for node in cloud.nodes()] == ["w-1"]
