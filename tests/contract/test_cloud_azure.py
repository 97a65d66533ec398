"""The cloud on Azure, through Libcloud, against a server that is written after its reference and is not Microsoft's."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from contextlib import suppress

import pytest
from azure_offers import GALLERY, IN_GROUP, SECRET, SUBNET
from cloud_servers import FILES, OnAzure, create, flavour, names
from real_parts import until

from prominence.core.errors import (
    CloudError,
    CredentialsRefused,
    NoSuchFlavour,
    NoSuchImage,
    OutOfCapacity,
    QuotaExceeded,
    Unavailable,
)
from prominence.core.machines import Flavour, Market
from prominence.imc.ports import NodeState


def test_a_machine_comes_in_one_request_with_all_it_needs_its_marks_and_no_rights(azure: OnAzure) -> None:
    create(azure)
    made = azure.there()["w-1"]
    assert made.keys() == {"location", "tags", "properties"}
    assert made["tags"] == {"prominence.pool": azure.pool, "prominence.worker": "w-1"}
    properties = made["properties"]
    assert properties["storageProfile"]["imageReference"] == {"id": f"{GALLERY}/worker-a/versions/1.0.0"}
    disk = properties["storageProfile"]["osDisk"]
    assert (disk["diskSizeGB"], disk["deleteOption"], disk["createOption"]) == (32, "Delete", "FromImage")
    [interface] = properties["networkProfile"]["networkInterfaceConfigurations"]
    assert interface["properties"]["deleteOption"] == "Delete"
    assert "networkSecurityGroup" not in interface["properties"]
    [address] = interface["properties"]["ipConfigurations"]
    assert address["properties"] == {"primary": True, "subnet": {"id": SUBNET}}
    told = base64.b64decode(properties["osProfile"]["customData"]).decode()
    assert json.loads(told.removeprefix("#cloud-config\n"))["write_files"]
    assert "priority" not in properties
    assert azure.around() == ["w-1-disk", "w-1-interface"]


def test_nobody_can_log_in_unless_it_is_said_who(azure: OnAzure) -> None:
    create(azure)
    login = azure.there()["w-1"]["properties"]["osProfile"]["linuxConfiguration"]
    assert login["disablePasswordAuthentication"] is True
    assert login["ssh"]["publicKeys"][0]["keyData"].startswith("ssh-rsa ")
    create(azure.otherwise(key="admin:ssh-ed25519 AAAA admin"), "w-2")
    profile = azure.there()["w-2"]["properties"]["osProfile"]
    [key] = profile["linuxConfiguration"]["ssh"]["publicKeys"]
    assert profile["adminUsername"] == "admin"
    assert key == {"path": "/home/admin/.ssh/authorized_keys", "keyData": "ssh-ed25519 AAAA admin"}


def test_zone_address_and_security_group_are_asked_for(azure: OnAzure) -> None:
    group = f"{IN_GROUP}/Microsoft.Network/networkSecurityGroups/closed"
    full = azure.otherwise(
        zone="2", public_address=True, security_groups=(group,), boot_volume_gib=50, disk_type="Premium_LRS"
    )
    create(full)
    made = full.there()["w-1"]
    assert made["zones"] == ["2"]
    [interface] = made["properties"]["networkProfile"]["networkInterfaceConfigurations"]
    assert interface["properties"]["networkSecurityGroup"] == {"id": group}
    assert made["properties"]["storageProfile"]["osDisk"]["managedDisk"] == {"storageAccountType": "Premium_LRS"}
    assert flavour(full).size.disk_mib == 50 * 1024
    assert azure.around() == ["w-1-address", "w-1-disk", "w-1-interface"]
    full.cloud.delete("w-1")
    assert names(full) == azure.around() == []


def test_both_markets_are_offered_and_spot_is_asked_for_as_such(azure: OnAzure) -> None:
    both = azure.otherwise(spot="prefer")
    assert {one.name: one.market for one in both.cloud.flavours()} == {
        "Small": Market.ON_DEMAND,
        "Small:spot": Market.SPOT,
        "Full": Market.ON_DEMAND,
        "Full:spot": Market.SPOT,
    }
    create(both, of="Small:spot")
    create(both.otherwise(spot="prefer", spot_max_price=0.1), "w-2", of="Small:spot")
    asked = {name: one["properties"] for name, one in both.there().items()}
    assert (asked["w-1"]["priority"], asked["w-1"]["evictionPolicy"]) == ("Spot", "Deallocate")
    assert [asked[name]["billingProfile"] for name in ("w-1", "w-2")] == [{"maxPrice": -1}, {"maxPrice": 0.1}]
    assert both.cloud.layout("w-1").notices == "azure"


def test_a_spot_machine_that_azure_takes_away_is_known_from_one_that_switched_itself_off(azure: OnAzure) -> None:
    both = azure.otherwise(spot="prefer")
    for name, of in (("w-1", "Small:spot"), ("w-2", "Small:spot"), ("w-3", "Small")):
        create(both, name, of)
    for name, power in (("w-1", "deallocated"), ("w-2", "stopped"), ("w-3", "deallocated")):
        both.powered(name, power)
    nodes = {node.name: node for node in both.cloud.nodes()}
    assert {node.state for node in nodes.values()} == {NodeState.STOPPED}
    assert [nodes[name].taken for name in ("w-1", "w-2", "w-3")] == [True, False, False]


def test_what_is_refused_late_has_its_name_and_leaves_nothing(azure: OnAzure) -> None:
    with pytest.raises(OutOfCapacity, match="sufficient capacity"):
        create(azure, of="Full")
    assert names(azure) == [] and azure.around() == []


QUOTA = "Operation could not be completed as it results in exceeding approved standardDSv3Family Cores quota."


@pytest.mark.parametrize(
    ("status", "code", "message", "error"),
    [
        (409, "OperationNotAllowed", QUOTA, QuotaExceeded),
        (400, "PublicIPCountLimitReached", "Cannot create more than 10 public IP addresses", QuotaExceeded),
        (409, "SkuNotAvailable", "The requested VM size for resource is currently not available", OutOfCapacity),
        (400, "SubnetIsFull", "Subnet inner does not have enough capacity for 1 IP addresses.", OutOfCapacity),
        (403, "AuthorizationFailed", "The client does not have authorization to perform action", CredentialsRefused),
        (401, "ExpiredAuthenticationToken", "The access token expiry is earlier than now", CredentialsRefused),
        (429, "TooManyRequests", "The request is being throttled", Unavailable),
        (409, "Conflict", "Another operation is in progress", Unavailable),
        (503, "ServiceUnavailable", "The service is unavailable", Unavailable),
        (400, "InvalidParameter", "Required parameter 'adminPassword' is missing", CloudError),
    ],
)
def test_a_refusal_has_its_name(azure: OnAzure, status: int, code: str, message: str, error: type[Exception]) -> None:
    azure.fail("PUT", "/virtualMachines", status, code, message=message)
    with pytest.raises(error) as caught:
        create(azure)
    assert type(caught.value) is error
    assert names(azure) == []


def test_images_and_flavours_that_are_nowhere_are_said_so(azure: OnAzure) -> None:
    for id in (f"{GALLERY}/no-such", "Nobody:no:such:latest"):
        with pytest.raises(NoSuchImage):
            create(azure.otherwise(image={"id": id}))
    with pytest.raises(NoSuchImage):
        create(azure.otherwise(image={"name": "no-such-*", "owner": "ours"}))
    gone = flavour(azure).model_copy(update={"name": "gone"})
    with pytest.raises(NoSuchFlavour):
        azure.cloud.create("w-1", gone, FILES)
    assert azure.there() == {}


@pytest.mark.parametrize(
    ("wanted", "image"),
    [
        ({"name": "worker-*", "owner": "ours"}, f"{GALLERY}/worker-c/versions/1.0.0"),
        ({"name": "worker-*", "owner": "ours", "architecture": "x86_64"}, f"{GALLERY}/worker-a/versions/1.1.0"),
        ({"name": "worker-[bc]", "owner": "ours", "architecture": "x64"}, f"{GALLERY}/worker-b/versions/1.0.0"),
        ({"name": "*", "owner": "ours", "architecture": "arm64"}, f"{GALLERY}/worker-c/versions/1.0.0"),
        ({"id": "Debian:debian-13:13-gen2:latest"}, "Debian:debian-13:13-gen2:latest"),
    ],
)
def test_the_newest_image_that_is_ready_and_as_wanted_is_taken(
    azure: OnAzure, wanted: dict[str, str], image: str
) -> None:
    here = azure.otherwise(image=wanted)
    assert here.provider.images(here.provider.connect())[0].id == image


def test_an_image_of_the_marketplace_is_asked_for_by_its_parts(azure: OnAzure) -> None:
    create(azure.otherwise(image={"id": "Debian:debian-13:13-gen2:latest"}))
    asked = azure.there()["w-1"]["properties"]["storageProfile"]["imageReference"]
    assert asked == {"publisher": "Debian", "offer": "debian-13", "sku": "13-gen2", "version": "latest"}


def test_all_pages_are_read_and_what_is_not_for_us_is_not_offered(azure: OnAzure) -> None:
    every = azure.otherwise(flavours=("*",))
    for number in range(5):
        create(every, f"w-{number}")
    assert len(names(every)) == 5
    offered = {one.name: one.size for one in every.cloud.flavours()}
    assert offered.keys() == {"Small", "Large", "Seeing", "Constrained", "Full", "Elsewhere"}
    assert (offered["Seeing"].gpus, offered["Seeing"].cpus, offered["Seeing"].memory_mib) == (2, 8, 56 * 1024)
    assert (offered["Constrained"].cpus, offered["Full"].memory_mib) == (4, 3584)
    assert "Elsewhere" not in {one.name for one in every.otherwise(zone="2").cloud.flavours()}


def test_quotas_are_the_regions_less_what_others_use(azure: OnAzure) -> None:
    create(azure)
    quota = azure.cloud.about().quota
    assert (quota.machines, quota.cpus) == (10, 20)
    assert azure.otherwise(spot="only").cloud.about().quota.cpus == 10
    assert azure.otherwise(spot="prefer").cloud.about().quota.cpus is None


def test_a_name_that_another_pool_has_taken_is_told_and_left_alone(azure: OnAzure) -> None:
    other = azure.otherwise(pool="other")
    create(other)
    before = other.there()
    with pytest.raises(CloudError, match="another machine in workers has the name w-1"):
        create(azure)
    assert names(other) == ["w-1"] and names(azure) == [] and other.there() == before
    other.clean()


def test_a_machine_that_is_there_already_is_not_made_again(azure: OnAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its list was late when it was looked at."""
    create(azure)
    ours = type(azure.provider).machines
    looks = iter([[]])
    monkeypatch.setattr(type(azure.provider), "machines", lambda self, driver: next(looks, None) or ours(self, driver))
    create(azure)
    assert list(azure.there()) == ["w-1"]


def test_what_outlives_its_machine_is_removed_and_nothing_else(azure: OnAzure) -> None:
    """Somebody has said that they are to be kept, or the image has a disk of its own."""
    create(azure.otherwise(public_address=True))
    own = f"{IN_GROUP}/Microsoft.Compute/disks/w-1-disk"
    second = f"{IN_GROUP}/Microsoft.Compute/disks/second"
    interface = f"{IN_GROUP}/Microsoft.Network/networkInterfaces/w-1-interface"
    azure.post("/_around/Microsoft.Compute/disks/second", {"managedBy": "w-1", "tags": {"theirs": "yes"}})
    azure.post("/_around/Microsoft.Compute/disks/somebodys", {"tags": {"prominence.pool": "other"}})
    ours = {"prominence.pool": azure.pool, "prominence.worker": "w-1"}
    azure.post("/_around/Microsoft.Compute/disks/used", {"tags": ours, "managedBy": "another"})
    kept = {"deleteOption": "Detach"}
    disks = {"osDisk": {**kept, "managedDisk": {"id": own}}, "dataDisks": [{"managedDisk": {"id": second}}]}
    network = {"networkInterfaces": [{"id": interface, "properties": kept}]}
    azure.change("w-1", properties={"storageProfile": disks, "networkProfile": network})
    azure.cloud.delete("w-1")
    assert names(azure) == []
    assert azure.around() == ["second", "somebodys", "used", "w-1-address", "w-1-disk", "w-1-interface"]
    assert azure.there("disks")["second"]["tags"] == {"theirs": "yes", **ours}
    azure.cloud.delete("w-1")
    assert azure.around() == ["somebodys", "used"]


def test_a_machine_that_is_going_is_shown_as_ended_and_not_deleted_again(azure: OnAzure) -> None:
    create(azure)
    azure.change("w-1", properties={"provisioningState": "Deleting"})
    assert [node.state for node in azure.cloud.nodes()] == [NodeState.STOPPED]
    azure.cloud.delete("w-1")
    assert list(azure.there()) == ["w-1"]
    azure.change("w-1", properties={"provisioningState": "Succeeded"})
    azure.cloud.delete("w-1")
    assert names(azure) == []


@pytest.mark.parametrize("content", [None, "", "{}", '{"appId": "a"}', "[]", "\xff"])
def test_credentials_that_cannot_be_read_are_named_by_their_file(azure: OnAzure, content: str | None) -> None:
    file = azure.declared.credentials_file
    file.unlink()
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    with pytest.raises(CredentialsRefused, match=str(file)):
        azure.provider.check()
    with pytest.raises(CredentialsRefused, match=str(file)):
        azure.cloud.nodes()


@pytest.mark.parametrize("wrong", [{"password": "another-word"}, {"tenant": "elsewhere"}])
def test_wrong_credentials_are_told_not_shown_and_read_again(azure: OnAzure, wrong: dict[str, str]) -> None:
    file = azure.declared.credentials_file
    right = json.loads(file.read_text())
    file.write_text(json.dumps({**right, **wrong}))
    with pytest.raises(CredentialsRefused, match="AADSTS") as caught:
        azure.cloud.flavours()
    assert "another-word" not in str(caught.value) and SECRET not in str(caught.value)
    file.write_text(json.dumps(right))

    def flavours() -> Sequence[Flavour]:
        with suppress(CredentialsRefused):  # a cloud in trouble is left alone for a moment
            return azure.cloud.flavours()
        return []

    assert until(flavours, 30)


def test_one_token_is_good_for_many_requests(azure: OnAzure) -> None:
    before = azure.read("/_state")["logins"]
    for _ in range(3):
        azure.cloud.nodes()
    assert azure.read("/_state")["logins"] == before + 1
