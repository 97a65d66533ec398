"""What OpenStack asks of us beyond the promise of a cloud, against a server after its references."""

from __future__ import annotations

import json

import pytest
import requests
import yaml
from cloud_servers import FILES, OnOpenStack, create, names
from openstack_server import MOST, PASSWORD, QUOTA

from prominence.core.errors import (
    CloudError,
    CredentialsRefused,
    NoSuchFlavour,
    NoSuchImage,
    OutOfCapacity,
    QuotaExceeded,
    Unavailable,
)
from prominence.imc.ports import NodeState


def test_a_machine_bears_our_marks_and_gets_what_was_declared(nova: OnOpenStack) -> None:
    create(nova.otherwise(key="k", network="net-1", security_groups=("closed",), availability_zone="zone-1"))
    [server] = nova.servers()
    asked = server["asked"]
    assert server["metadata"] == {"prominence.pool": nova.pool, "prominence.worker": "w-1"}
    assert (asked["key_name"], asked["networks"], asked["config_drive"]) == ("k", [{"uuid": "net-1"}], "True")
    assert (asked["security_groups"], asked["availability_zone"]) == ([{"name": "closed"}], "zone-1")
    assert json.loads(asked["user_data"].partition("\n")[2])["write_files"][0]["path"] == FILES[0].path


def test_a_disk_of_its_own_goes_with_it(nova: OnOpenStack) -> None:
    create(nova.otherwise(boot_volume_gib=50))
    [server] = nova.servers()
    [disk] = server["asked"]["block_device_mapping_v2"]
    assert (disk["volume_size"], disk["uuid"], disk["delete_on_termination"]) == (50, "new", True)


def test_all_pages_are_read_and_machines_of_others_left_out(nova: OnOpenStack) -> None:
    other = nova.otherwise(pool=f"{nova.pool}-2")
    for number in range(5):
        create(nova, f"w-{number}")
        create(other, f"w-{number}")
    assert len(names(nova)) == 5
    nova.cloud.delete("w-0")
    assert len(names(other)) == 5


def test_a_machine_for_which_no_host_has_room_is_refused_and_leaves_nothing(nova: OnOpenStack) -> None:
    with pytest.raises(OutOfCapacity, match="No valid host"):
        create(nova, of="full")
    assert nova.servers() == []


def test_the_quota_is_told_as_such(nova: OnOpenStack) -> None:
    for number in range(QUOTA):
        create(nova, f"w-{number}")
    with pytest.raises(QuotaExceeded, match=f"{QUOTA} of {QUOTA}"):
        create(nova, "one-more")


def test_a_wrong_image_and_a_wrong_flavour_are_told_as_such(nova: OnOpenStack) -> None:
    with pytest.raises(NoSuchImage):
        create(nova.otherwise(image={"id": "none"}))
    with pytest.raises(NoSuchImage):
        create(nova.otherwise(image={"name": "no-*"}))
    [small, _] = nova.cloud.flavours()
    with pytest.raises(NoSuchFlavour):
        nova.cloud.create("w-1", small.model_copy(update={"name": "gone"}), FILES)
    assert nova.servers() == []


@pytest.mark.parametrize(
    ("wanted", "image"),
    [
        ({"name": "worker-*"}, "arm"),
        ({"name": "worker-*", "architecture": "x86_64"}, "new"),
        ({"distribution": "debian", "version": "13", "architecture": "x86_64"}, "new"),
        ({"name": "worker-1"}, "old"),
    ],
)
def test_the_newest_active_image_that_is_as_declared_is_taken(
    nova: OnOpenStack, wanted: dict[str, str], image: str
) -> None:
    create(nova.otherwise(image=wanted))
    [server] = nova.servers()
    assert server["image"] == {"id": image}


@pytest.mark.parametrize(
    ("status", "error"), [(429, Unavailable), (503, Unavailable), (409, Unavailable), (403, CredentialsRefused)]
)
def test_a_refusal_has_its_name(nova: OnOpenStack, status: int, error: type[Exception]) -> None:
    nova.fail("POST", "/servers", status)
    with pytest.raises(error):
        create(nova)
    assert nova.servers() == []


def test_a_machine_that_was_made_although_an_error_came_is_found_and_no_second_made(nova: OnOpenStack) -> None:
    nova.fail("POST", "/servers", 504, after=True)
    with pytest.raises(Unavailable):
        create(nova)
    create(nova)
    assert len(nova.servers()) == 1


def test_of_two_machines_of_one_name_one_is_kept(nova: OnOpenStack) -> None:
    create(nova)
    other = nova.otherwise(pool=f"{nova.pool}-2")
    create(other, "twin")
    nova.change("twin", name="w-1", metadata=nova.servers()[0]["metadata"])
    assert len(nova.servers()) == 2
    create(nova)
    assert len(nova.servers()) == 1


def test_a_machine_on_its_way_out_is_not_deleted_again(nova: OnOpenStack) -> None:
    create(nova)
    nova.change("w-1", **{"OS-EXT-STS:task_state": "deleting"})
    nova.cloud.delete("w-1")
    assert [node.state for node in nova.cloud.nodes()] == [NodeState.STOPPED]


def test_a_machine_that_vanishes_while_it_is_deleted_is_fine(nova: OnOpenStack) -> None:
    create(nova)
    nova.fail("DELETE", "/servers", 404, after=True)
    nova.cloud.delete("w-1")
    assert nova.servers() == []


def test_wrong_credentials_are_told_and_read_again(nova: OnOpenStack) -> None:
    file = nova.declared.credentials_file
    right = file.read_text()
    file.write_text(right.replace(PASSWORD, "wrong"))
    nova.cloud._of_thread.driver = None
    with pytest.raises(CredentialsRefused) as caught:
        nova.cloud.nodes()
    assert "wrong" not in str(caught.value)
    file.write_text(right)
    create(nova)
    assert len(nova.servers()) == 1


def test_application_credentials_will_do(nova: OnOpenStack) -> None:
    auth = {
        "auth_url": nova.url,
        "application_credential_id": "some",
        "application_credential_secret": PASSWORD,
    }
    nova.declared.credentials_file.write_text(yaml.safe_dump({"clouds": {"openstack": {"auth": auth}}}))
    create(nova)
    assert names(nova) == ["w-1"]


@pytest.mark.parametrize(
    "content", ["", "[]", "clouds: {}", "clouds: {openstack: {auth: {password: hidden}}}", "a: [b"]
)
def test_credentials_that_cannot_be_read_are_named_by_their_file(nova: OnOpenStack, content: str) -> None:
    nova.declared.credentials_file.write_text(content)
    with pytest.raises(CredentialsRefused, match=str(nova.declared.credentials_file)) as caught:
        nova.provider.connect()
    assert "hidden" not in str(caught.value)


def test_nonsense_from_the_cloud_is_unavailable(nova: OnOpenStack) -> None:
    create(nova)
    nova.change("w-1", addresses=None)
    with pytest.raises(Unavailable):
        nova.cloud.nodes()
    nova.change("w-1", addresses={})


def test_a_refusal_without_a_name_is_a_cloud_error(nova: OnOpenStack) -> None:
    nova.fail("POST", "/servers", 400, message="User data too large.")
    with pytest.raises(CloudError, match="User data too large"):
        create(nova)


def test_the_quota_is_that_of_the_project_less_what_others_have(nova: OnOpenStack) -> None:
    create(nova)
    create(nova.otherwise(pool=f"{nova.pool}-2"), "w-2")
    others = len(requests.get(f"{nova.url}/_servers", timeout=10).json()) - 1
    about = nova.cloud.about()
    assert (about.quota.machines, about.quota.memory_mib) == (MOST - others, None)
    assert about.quota.cpus is not None and about.quota.cpus <= 2 * (MOST - others)
    assert about.image == "new (new)"
    assert about.ages_s.keys() >= {"flavours", "image", "quota"}


def test_a_quota_that_cannot_be_read_is_as_it_was(nova: OnOpenStack) -> None:
    here = nova.otherwise(quota_s=0.001)
    before = here.cloud.about().quota
    assert before.machines is not None
    nova.fail("GET", "/limits", 403, message="Policy does not allow it")
    assert here.cloud.about().quota == before
    assert here.cloud.about().ages_s["quota"] >= 0
