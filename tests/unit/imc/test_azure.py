"""What Azure's kind of cloud reads and asks for, and what of its settings is refused."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from azure_offers import GALLERY, SUBNET
from cloud_settings import azure_settings
from hypothesis import given
from hypothesis import strategies as st
from libcloud.compute.base import NodeImage, NodeSize
from libcloud.compute.types import NodeState as State
from pydantic import ValidationError

from prominence.core.machines import Market
from prominence.imc.adapters.libcloud_azure import fault, state
from prominence.imc.adapters.libcloud_azure_request import image_reference, wanted
from prominence.imc.adapters.libcloud_provider import Offer

PROVISIONING = ("creating", "updating", "succeeded", "failed", "deleting", "canceled", "")
POWER = ("starting", "running", "stopping", "stopped", "deallocating", "deallocated", "unknown", "")


@pytest.mark.parametrize(
    ("provisioning", "power", "told"),
    [
        ("creating", "", State.PENDING),
        ("creating", "running", State.RUNNING),
        ("succeeded", "running", State.RUNNING),
        ("succeeded", "stopped", State.STOPPED),
        ("succeeded", "deallocated", State.STOPPED),
        ("succeeded", "", State.UNKNOWN),
        ("failed", "", State.ERROR),
        ("failed", "running", State.RUNNING),
        ("deleting", "running", State.STOPPING),
    ],
)
def test_what_azure_tells_twice_is_one_state(provisioning: str, power: str, told: State) -> None:
    assert state(provisioning, power) is told


@given(st.sampled_from(PROVISIONING) | st.text(max_size=20), st.sampled_from(POWER) | st.text(max_size=20))
def test_a_machine_that_runs_is_never_taken_for_a_failed_one(provisioning: str, power: str) -> None:
    told = state(provisioning, power)
    assert (told is State.ERROR) == (provisioning == "failed" and power not in ("running", "starting"))


@given(st.lists(st.text(max_size=60)))
def test_whatever_azure_writes_of_a_machine_is_read(codes: list[str]) -> None:
    assert fault([{"code": code} for code in codes]) == "" or any("failed" in code.lower() for code in codes)


def test_why_a_machine_failed_is_told_by_its_code() -> None:
    failed = {"code": "ProvisioningState/failed/AllocationFailed", "message": "No room."}
    assert fault([{"code": "ProvisioningState/updating"}, failed]) == "[AllocationFailed] No room."
    assert fault([{"code": "ProvisioningState/failed"}]) == ""


@given(st.text(), st.sampled_from(list(Market)))
def test_user_data_comes_through_whatever_is_in_it(
    tmp_path_factory: pytest.TempPathFactory, text: str, market: Market
) -> None:
    declared = azure_settings("", tmp_path_factory.getbasetemp(), spot="prefer")
    size = NodeSize("Small", "Small", 1, 0, 0, 0.0, None)
    image = NodeImage(declared.image.id, "", None)
    asked = wanted(declared, "pool", "w-1", Offer(size, market), image, text)["properties"]
    assert base64.b64decode(asked["osProfile"]["customData"]).decode() == text
    assert ("priority" in asked) == (market is Market.SPOT)


@given(st.lists(st.text(min_size=1, alphabet=st.characters(exclude_characters=":/")), min_size=4, max_size=4))
def test_an_image_of_the_marketplace_has_four_parts(parts: list[str]) -> None:
    assert list(image_reference(":".join(parts)).values()) == parts


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"subscription": "mine"}, "subscription"),
    ({"resource_group": "a/b"}, "resource_group"),
    ({"network": "inner"}, "network"),
    ({"network": SUBNET + "/more"}, "network"),
    ({"security_groups": ("closed",)}, "security_groups"),
    ({"zone": "north-1"}, "zone"),
    ({"key": "ssh-ed25519 AAAA"}, "key"),
    ({"key": "Admin:ssh-ed25519 AAAA"}, "key"),
    ({"key": "admin:ssh-ed25519 AAAA\nevil"}, "key"),
    ({"disk_type": "fast"}, "disk_type"),
    ({"boot_volume_gib": 1}, "boot_volume_gib"),
    ({"image": {"id": "ami-1"}}, "PUBLISHER:OFFER:SKU:VERSION"),
    ({"image": {"name": "worker-*"}}, "the gallery that it is in"),
    ({"image": {"distribution": "debian"}}, "the gallery that it is in"),
    ({"spot_max_price": 0.1}, "spot is never"),
    ({"endpoint": "management.azure.com"}, "endpoint"),
]


@pytest.mark.parametrize(("changes", "named"), MISTAKES)
def test_what_azure_would_refuse_is_refused_when_it_is_read(
    changes: dict[str, Any], named: str, tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match=named):
        azure_settings("", tmp_path, **changes)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as caught:
        azure_settings("", tmp_path, subscription="mine", network="inner", zone="b")
    assert {error["loc"][0] for error in caught.value.errors()} == {"subscription", "network", "zone"}


@pytest.mark.parametrize(
    "id", [f"{GALLERY}/worker-a", f"{GALLERY}/worker-a/versions/1.0.0", "Debian:debian-13:13:latest"]
)
def test_paths_and_parts_name_an_image(id: str, tmp_path: Path) -> None:
    assert azure_settings("", tmp_path, image={"id": id}).image.id == id
