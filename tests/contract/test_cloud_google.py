"""The cloud on Google's, through Libcloud, against a server that is written after its reference and is not Google's."""

from __future__ import annotations

import json

import pytest
from cloud_servers import FILES, OnGoogle, create, flavour, names
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import (
    CloudError,
    CredentialsRefused,
    NoSuchFlavour,
    NoSuchImage,
    OutOfCapacity,
    QuotaExceeded,
    Unavailable,
)
from prominence.core.machines import Market
from prominence.imc.adapters.libcloud_google import label
from prominence.imc.ports import NodeState


def test_a_machine_comes_in_one_request_with_its_disk_its_marks_and_no_rights(google: OnGoogle) -> None:
    create(google)
    made = google.there("instances")["w-1"]
    assert made["labels"] == {"prominence-pool": google.pool, "prominence-worker": "w-1"}
    assert made["serviceAccounts"] == [] and made["networkInterfaces"] == [{}]
    [disk] = made["disks"]
    assert (disk["boot"], disk["autoDelete"]) == (True, True)
    assert disk["initializeParams"] == {
        "sourceImage": "projects/a-project/global/images/worker-2",
        "diskSizeGb": "30",
        "labels": made["labels"],
    }
    metadata = {one["key"]: one["value"] for one in made["metadata"]["items"]}
    assert metadata.keys() == {"user-data", "block-project-ssh-keys"}
    assert json.loads(metadata["user-data"].removeprefix("#cloud-config\n"))["write_files"]
    assert made["scheduling"] == {"automaticRestart": False}


def test_network_key_and_address_are_asked_for(google: OnGoogle) -> None:
    path = "projects/a-project/regions/north-1/subnetworks/workers"
    key = "admin:ssh-ed25519 AAAA admin"
    full = google.otherwise(network=path, key=key, public_address=True, security_groups=("worker",), boot_volume_gib=50)
    create(full)
    made = full.there("instances")["w-1"]
    assert made["networkInterfaces"][0]["subnetwork"] == path
    assert made["networkInterfaces"][0]["accessConfigs"][0]["type"] == "ONE_TO_ONE_NAT"
    assert made["tags"] == {"items": ["worker"]}
    assert {"key": "ssh-keys", "value": key} in made["metadata"]["items"]
    assert flavour(full).size.disk_mib == 50 * 1024


def test_both_markets_are_offered_and_spot_is_asked_for_as_such(google: OnGoogle) -> None:
    both = google.otherwise(spot="prefer")
    assert {one.name: one.market for one in both.cloud.flavours()} == {
        "small": Market.ON_DEMAND,
        "small:spot": Market.SPOT,
        "full": Market.ON_DEMAND,
        "full:spot": Market.SPOT,
    }
    create(both, of="small:spot")
    assert both.there("instances")["w-1"]["scheduling"] == {
        "automaticRestart": False,
        "provisioningModel": "SPOT",
        "preemptible": True,
        "instanceTerminationAction": "STOP",
        "onHostMaintenance": "TERMINATE",
    }
    assert both.cloud.layout("w-1").notices == "google"


def test_what_is_refused_late_has_its_name_and_leaves_nothing(google: OnGoogle) -> None:
    with pytest.raises(OutOfCapacity, match="does not have enough resources"):
        create(google, of="full")
    assert google.there("instances") == google.there("disks") == {}


@pytest.mark.parametrize(
    ("status", "reason", "message", "error"),
    [
        (403, "quotaExceeded", "Quota 'CPUS' exceeded.  Limit: 24.0 in region north-1.", QuotaExceeded),
        (403, "rateLimitExceeded", "Rate Limit Exceeded", Unavailable),
        (
            403,
            "forbidden",
            "Required 'compute.instances.create' permission for 'projects/a-project'",
            CredentialsRefused,
        ),
        (403, "accessNotConfigured", "Compute Engine API has not been used in project 1 before", CredentialsRefused),
        (401, "authError", "Invalid Credentials", CredentialsRefused),
        (503, "backendError", "Backend Error", Unavailable),
        (500, "somethingNew", "Oh", Unavailable),
        (400, "invalid", "Invalid value for field 'resource.networkInterfaces[0]': ''.", CloudError),
    ],
)
def test_a_refusal_has_its_name(
    google: OnGoogle, status: int, reason: str, message: str, error: type[Exception]
) -> None:
    google.fail("POST", "/instances", status, reason, message=message)
    with pytest.raises(error) as caught:
        create(google)
    assert type(caught.value) is error
    assert names(google) == []


def test_images_and_flavours_that_are_nowhere_are_said_so(google: OnGoogle) -> None:
    with pytest.raises(NoSuchImage):
        create(google.otherwise(image={"id": "no-such"}))
    with pytest.raises(NoSuchImage):
        create(google.otherwise(image={"name": "no-such-*"}))
    gone = flavour(google).model_copy(update={"name": "gone"})
    with pytest.raises(NoSuchFlavour):
        google.cloud.create("w-1", gone, FILES)
    assert google.there("instances") == {}


@pytest.mark.parametrize(
    ("wanted", "image"),
    [
        ({"name": "worker-*"}, "projects/a-project/global/images/worker-3"),
        ({"name": "worker-[12]"}, "projects/a-project/global/images/worker-2"),
        ({"name": "worker-*", "architecture": "arm64"}, "projects/a-project/global/images/worker-3"),
        ({"name": "of-*", "owner": "debian-cloud"}, "projects/debian-cloud/global/images/of-debian-cloud"),
        ({"id": "projects/p/global/images/family/debian-13"}, "projects/p/global/images/family/debian-13"),
    ],
)
def test_the_newest_image_that_is_ready_and_as_wanted_is_taken(
    google: OnGoogle, wanted: dict[str, str], image: str
) -> None:
    here = google.otherwise(image=wanted)
    assert here.provider.images(here.provider.connect())[0].id == image


def test_all_pages_are_read_and_types_that_are_no_more_are_not_offered(google: OnGoogle) -> None:
    paged = google.otherwise(page=2, flavours=("*",))
    for number in range(5):
        create(paged, f"w-{number}")
    assert len(names(paged)) == 5
    offered = {one.name: one.size for one in paged.cloud.flavours()}
    assert offered.keys() == {"small", "large", "seeing", "full"}
    assert (offered["seeing"].gpus, offered["seeing"].cpus, offered["seeing"].memory_mib) == (2, 8, 16384)


def test_quotas_are_the_regions_less_what_others_use(google: OnGoogle) -> None:
    create(google)
    quota = google.cloud.about().quota
    assert (quota.machines, quota.cpus) == (10, 20)
    assert google.otherwise(spot="only").cloud.about().quota.cpus is None


def test_a_name_that_another_pool_has_taken_is_told_and_left_alone(google: OnGoogle) -> None:
    other = google.otherwise(pool="other")
    create(other)
    with pytest.raises(CloudError, match="another machine in north-1-b has the name w-1"):
        create(google)
    assert names(other) == ["w-1"] and names(google) == []
    other.clean()


def test_a_machine_that_is_there_already_is_not_made_again(google: OnGoogle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its list was late when it was looked at."""
    create(google)
    ours = type(google.provider).machines
    looks = iter([[]])
    monkeypatch.setattr(type(google.provider), "machines", lambda self, driver: next(looks, None) or ours(self, driver))
    create(google)
    assert list(google.there("instances")) == ["w-1"]


def test_disks_that_outlive_their_machine_are_removed_and_no_others(google: OnGoogle) -> None:
    create(google)
    ours = {"prominence-pool": google.pool, "prominence-worker": "w-1"}
    google.add_disk(name=f"left-{google.pool}", labels=ours, users=[])
    google.add_disk(name=f"used-{google.pool}", labels=ours, users=["somebody"])
    google.cloud.delete("w-1")
    assert list(google.there("disks")) == [f"used-{google.pool}"]


def test_a_machine_that_is_going_is_shown_as_ended_and_not_deleted_again(google: OnGoogle) -> None:
    create(google)
    google.change("w-1", status="STOPPING")
    assert [node.state for node in google.cloud.nodes()] == [NodeState.STOPPED]
    google.cloud.delete("w-1")
    assert list(google.there("instances")) == ["w-1"]
    google.change("w-1", status="TERMINATED")
    google.cloud.delete("w-1")
    assert google.there("instances") == {}


@pytest.mark.parametrize("content", [None, "", "{}", '{"client_email": "a"}', "[]", "\xff"])
def test_credentials_that_cannot_be_read_are_named_by_their_file(google: OnGoogle, content: str | None) -> None:
    file = google.declared.credentials_file
    file.unlink()
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    with pytest.raises(CredentialsRefused, match=str(file)):
        google.provider.check()
    google.cloud._of_thread.__dict__.clear()
    with pytest.raises(CredentialsRefused, match=str(file)):
        google.cloud.nodes()


def test_a_key_that_is_none_is_refused_and_not_shown(google: OnGoogle) -> None:
    google.declared.credentials_file.write_text('{"client_email": "a@b", "private_key": "hidden-word"}')
    with pytest.raises(CredentialsRefused) as caught:
        google.cloud.nodes()
    assert "hidden-word" not in str(caught.value)


@given(st.text(max_size=80))
def test_any_name_of_a_pool_makes_a_label(text: str) -> None:
    made = label(text)
    assert 1 <= len(made) <= 63 and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-_" for c in made)
    assert made == label(text)
