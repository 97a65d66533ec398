"""Machines that are cheaper and may be taken away: how they are declared, ranked, refused and told."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from builders import a_flavour, a_request, a_size
from builders_imc import Inline, PretendWorld, a_bootstrap
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prominence.core.errors import OutOfCapacity, QuotaExceeded
from prominence.core.machines import Flavour, Market
from prominence.imc import cloudinit, userdata
from prominence.imc.adapters.memory import MemoryCloud
from prominence.imc.declared_machines import EC2Settings, OpenStackSettings
from prominence.imc.placement import CloudView, place

SIZE = a_size(2, 4000, 20000)
TODAY = date(2026, 6, 1)
PRICES = ({"flavour": "m5.*", "per_hour": 0.1}, {"flavour": "m5.large", "per_hour": 0.03, "market": "spot"})


def a_spot(name: str, price: float, **changes: Any) -> Flavour:
    return a_flavour(name=f"{name}:spot", size=SIZE, price=price, market=Market.SPOT, **changes)


def declared(**changes: Any) -> EC2Settings:
    return EC2Settings(
        **{
            "type": "ec2",
            "region": "eu-west-1",
            "credentials_file": Path("/aws"),
            "image": {"id": "ami-1"},
            "flavours": ("m5.*",),
            "prices": PRICES,
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("spot", "markets"),
    [("prefer", (Market.SPOT, Market.ON_DEMAND)), ("only", (Market.SPOT,)), ("never", (Market.ON_DEMAND,))],
)
def test_the_policy_says_where_machines_are_had(spot: str, markets: tuple[Market, ...]) -> None:
    assert declared(spot=spot, prices=()).markets == markets


def test_each_market_has_its_price_and_spot_without_one_costs_as_much() -> None:
    cloud = declared(spot="prefer")
    assert cloud.price("m5.large", Market.SPOT, TODAY) == 0.03
    assert cloud.price("m5.large", Market.ON_DEMAND, TODAY) == 0.1
    assert cloud.price("m5.xlarge", Market.SPOT, TODAY) == 0.1
    assert cloud.price("c5.large", Market.SPOT, TODAY) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"spot": "never"}, "has prices of spot machines, and uses none"),
        ({"prices": (), "spot_max_price": 0.1}, "has a spot_max_price, and spot is never"),
        ({"spot": True}, "'never', 'prefer' or 'only'"),
        ({"spot": "prefer", "spot_max_price": 0}, "greater than 0"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        declared(**changes)


def test_a_cloud_without_such_machines_takes_no_price_of_them() -> None:
    with pytest.raises(ValidationError, match="uses none"):
        OpenStackSettings(
            type="openstack",
            region="north",
            credentials_file=Path("/clouds.yaml"),
            image={"id": "1"},
            flavours=("*",),
            prices=PRICES,
        )


@given(st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.5, 1.0, 2.0]))
def test_the_cheaper_market_is_first_and_of_one_price_spot(of_spot: float, of_other: float) -> None:
    kinds = (a_flavour(name="large", size=SIZE, price=of_other), a_spot("large", of_spot))
    offers = place(a_request(size=a_size(1, 1, 1)), [CloudView("docker", kinds, limit=4)]).offers
    first = Market.SPOT if of_spot <= of_other else Market.ON_DEMAND
    assert [offer.market for offer in offers][0] is first and len(offers) == 2


class SpotWorld(PretendWorld):
    """A cloud that has two kinds of machines on two markets each."""

    def __init__(self) -> None:
        super().__init__(threads=Inline())
        kinds = [
            a_spot("small", 0.1),
            a_spot("large", 0.2),
            a_flavour(name="small", size=SIZE, price=1.0),
            a_flavour(name="large", size=SIZE, price=2.0),
        ]
        self.cloud = MemoryCloud("docker", kinds)
        self.reconciler = self.new_reconciler()

    def placed(self) -> str:
        flavour = self.record().flavour
        return flavour.name if flavour else ""


def test_a_spot_market_that_has_none_leaves_the_other_and_its_like_alone() -> None:
    world = SpotWorld()
    world.cloud.faults.next("create", OutOfCapacity("no spot capacity"), times=2)
    world.ask()
    world.tick()
    assert world.placed() == "small:spot"
    world.tick(seconds=1)
    assert world.placed() == "large:spot"
    world.tick(seconds=0.5)
    assert world.placed() == "small"
    [status] = [one for one in world.records.clouds() if one.name == "docker"]
    assert set(status.troubles) == {"small:spot", "large:spot"} and not status.error
    assert set(status.retries) == set(status.troubles)


def test_a_used_up_share_of_spot_machines_concerns_all_of_them_and_no_others() -> None:
    world = SpotWorld()
    world.cloud.faults.next("create", QuotaExceeded("MaxSpotInstanceCountExceeded"))
    world.ask()
    world.tick()
    world.tick(seconds=1)
    assert world.placed() == "small"
    assert not world.records.clouds()[0].error
    world.tick(seconds=60)
    world.ask("worker-2")
    world.tick()
    second = world.record("worker-2").flavour
    assert second and second.name == "small:spot"


def test_the_worker_is_told_whose_notices_to_heed_if_it_may_be_taken_away() -> None:
    def config(flavour: Flavour, notices: str) -> str:
        made = userdata.files(a_bootstrap(flavour=flavour), cloudinit.layout("w-1", notices))
        return next(file.text for file in made if file.path == userdata.CONFIG)

    assert "PROMINENCE_NOTICES = ec2\n" in config(a_spot("small", 0.1), "ec2")
    assert "PROMINENCE_NOTICES" not in config(a_spot("small", 0.1), "")
    assert "PROMINENCE_NOTICES" not in config(a_flavour(name="small"), "ec2")
    assert 'ProminenceMarket = "spot"\n' in config(a_spot("small", 0.1), "ec2")
    assert 'ProminenceMarket = "on-demand"\n' in config(a_flavour(name="small"), "")
