"""What EC2 asks of us beyond the promise of a cloud, against moto's server and the faults that Amazon has."""

from __future__ import annotations

import base64
import json

import pytest
from cloud_servers import FILES, OnEC2, create, names

from prominence.core.errors import (
    CloudError,
    CredentialsRefused,
    NoSuchFlavour,
    NoSuchImage,
    OutOfCapacity,
    QuotaExceeded,
    Unavailable,
)
from prominence.core.machines import Market, Quota
from prominence.imc.ports import NodeState


def test_a_machine_bears_our_marks_and_its_files_come_as_user_data(ec2: OnEC2) -> None:
    create(ec2)
    machine = ec2.machine("w-1")
    assert machine.extra["tags"] == {"Name": "w-1", "prominence.pool": ec2.pool, "prominence.worker": "w-1"}
    assert machine.extra["instance_type"] == "m5.large"
    text = user_data(ec2)
    assert text.startswith("#cloud-config\n")
    written = {one["path"]: one for one in json.loads(text.partition("\n")[2])["write_files"]}
    assert base64.b64decode(written["/etc/condor/tokens.d/pool"]["content"]) == b"the token\n"
    assert written["/etc/condor/tokens.d/pool"]["permissions"] == "0600"


def user_data(ec2: OnEC2) -> str:
    told = ec2.driver.ex_get_user_data(ec2.machine("w-1")) if hasattr(ec2.driver, "ex_get_user_data") else None
    if told is None:
        parameters = {
            "Action": "DescribeInstanceAttribute",
            "InstanceId": ec2.machine("w-1").id,
            "Attribute": "userData",
        }
        answer = ec2.driver.connection.request("/", params=parameters).object
        [value] = [element.text for element in answer.iter() if element.tag.endswith("}value")]
        told = base64.b64decode(value or "").decode()
    return str(told)


def test_machines_of_others_are_not_seen_and_not_deleted(ec2: OnEC2) -> None:
    other = ec2.otherwise(pool=f"{ec2.pool}-2")
    create(other)
    create(ec2, "w-2")
    assert names(ec2) == ["w-2"]
    ec2.cloud.delete("w-1")
    assert names(other) == ["w-1"]


def test_all_pages_are_read(ec2: OnEC2) -> None:
    for number in range(7):
        create(ec2, f"w-{number}")
    paged = ec2.otherwise(page=5)
    assert len(names(paged)) == 7


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("InsufficientInstanceCapacity", "500 Internal Server Error", OutOfCapacity),
        ("InstanceLimitExceeded", "400 Bad Request", QuotaExceeded),
        ("VcpuLimitExceeded", "400 Bad Request", QuotaExceeded),
        ("MaxSpotInstanceCountExceeded", "400 Bad Request", QuotaExceeded),
        ("UnauthorizedOperation", "403 Forbidden", CredentialsRefused),
        ("AuthFailure", "401 Unauthorized", CredentialsRefused),
        ("InvalidAMIID.NotFound", "400 Bad Request", NoSuchImage),
        ("InvalidParameterValue", "400 Bad Request", NoSuchFlavour),
        ("InvalidKeyPair.NotFound", "400 Bad Request", CloudError),
        ("SomethingNew", "400 Bad Request", CloudError),
    ],
)
def test_a_refusal_has_its_name_and_leaves_nothing(ec2: OnEC2, code: str, status: str, error: type[CloudError]) -> None:
    ec2.refuse("RunInstances", code, status, message="The instance type is wrong, in 'words'")
    with pytest.raises(error) as caught:
        create(ec2)
    assert type(caught.value) is error
    assert ec2.machines() == []


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "Unavailable", "InternalError"])
def test_what_passes_is_unavailable(ec2: OnEC2, code: str) -> None:
    for action in ("DescribeInstances", "RunInstances"):
        ec2.refuse(action, code, "503 Service Unavailable")
        with pytest.raises(Unavailable):
            create(ec2)
    create(ec2)


def test_a_machine_that_was_made_although_an_error_came_is_found_and_no_second_made(ec2: OnEC2) -> None:
    ec2.refuse("RunInstances", "InternalError", "500 Internal Server Error", after=True)
    with pytest.raises(Unavailable):
        create(ec2)
    create(ec2)
    assert len(ec2.machines()) == 1


def test_a_machine_that_is_not_listed_yet_is_not_made_again(ec2: OnEC2, monkeypatch: pytest.MonkeyPatch) -> None:
    create(ec2)
    with monkeypatch.context() as late:
        late.setattr(type(ec2.provider), "machines", lambda *_: [])
        late.setattr(ec2.declared.__class__, "settle_s", 0, raising=False)
        with pytest.raises(Unavailable):
            create(ec2)
    assert len(ec2.machines()) == 1


def test_of_several_machines_of_one_name_all_are_deleted(ec2: OnEC2) -> None:
    create(ec2)
    create(ec2.otherwise(pool="elsewhere"), "w-1")
    twin = ec2.otherwise(pool="elsewhere").machine("w-1")
    ec2.driver.mark(twin.id, {"prominence.pool": ec2.pool})
    assert [(node.name, node.detail) for node in ec2.cloud.nodes()] == [("w-1", "2 machines of this name")]
    ec2.cloud.delete("w-1")
    assert ec2.machines() == []


def test_disks_that_outlive_their_machine_are_removed(ec2: OnEC2) -> None:
    create(ec2)
    machine = ec2.machine("w-1")
    parameters = {"Action": "CreateVolume", "Size": "5", "AvailabilityZone": machine.extra["availability"]}
    ec2.driver.connection.request("/", params=parameters)
    [lasting] = [volume for volume in ec2.driver.list_volumes(ex_filters={"status": "available"}) if volume.size == 5]
    ec2.driver.attach_volume(machine, lasting, "/dev/sdx")
    ec2.cloud.delete("w-1")
    ec2.cloud.delete("w-1")
    assert lasting.id not in [volume.id for volume in ec2.driver.list_volumes()]


def test_a_refused_deletion_is_told_and_can_be_repeated(ec2: OnEC2) -> None:
    create(ec2)
    ec2.refuse("TerminateInstances", "OperationNotPermitted")
    with pytest.raises(CloudError, match="OperationNotPermitted"):
        ec2.cloud.delete("w-1")
    assert names(ec2) == ["w-1"]
    ec2.cloud.delete("w-1")
    assert names(ec2) == []


def test_key_network_and_disk_are_asked_for(ec2: OnEC2) -> None:
    ec2.driver.create_key_pair(f"key-{ec2.pool}")
    [subnet, *_] = ec2.driver.ex_list_subnets()
    full = ec2.otherwise(key=f"key-{ec2.pool}", network=subnet.id, boot_volume_gib=30)
    create(full)
    machine = full.machine("w-1")
    assert machine.extra["key_name"] == f"key-{ec2.pool}"
    assert machine.extra["subnet_id"] == subnet.id
    assert machine.extra["instance_lifecycle"] is None
    assert 30 in [volume.size for volume in full.driver.list_volumes(node=machine)]
    assert {flavour.size.disk_mib for flavour in full.cloud.flavours()} == {30 * 1024}


def test_the_same_machine_is_offered_on_both_markets_and_asked_for_on_the_one_that_is_meant(ec2: OnEC2) -> None:
    prices = [{"flavour": "m5.*", "per_hour": 1.0}, {"flavour": "m5.large", "per_hour": 0.4, "market": "spot"}]
    both = ec2.otherwise(spot="prefer", prices=prices, spot_max_price=0.5, flavours=("m5.large",))
    offered = {one.name: one for one in both.cloud.flavours()}
    assert {name: (one.market, one.price) for name, one in offered.items()} == {
        "m5.large": (Market.ON_DEMAND, 1.0),
        "m5.large:spot": (Market.SPOT, 0.4),
    }
    for number, flavour in enumerate(offered.values()):
        both.cloud.create(f"w-{number}", flavour, FILES)
        lifecycle = both.machine(f"w-{number}").extra["instance_lifecycle"]
        assert lifecycle == ("spot" if flavour.market is Market.SPOT else None)
    assert both.cloud.layout("w-1").notices == "ec2"


def test_what_is_not_to_be_had_on_one_market_is_made_on_the_other_under_the_same_name(ec2: OnEC2) -> None:
    both = ec2.otherwise(spot="prefer", flavours=("m5.large",))
    of_spot, other = sorted(both.cloud.flavours(), key=lambda flavour: flavour.market, reverse=True)
    ec2.refuse("RunInstances", "InsufficientInstanceCapacity", "500 Internal Server Error", after=True)
    with pytest.raises(OutOfCapacity):
        both.cloud.create("w-1", of_spot, FILES)
    assert both.machines() == []
    both.cloud.create("w-1", other, FILES)
    assert both.machine("w-1").extra["instance_lifecycle"] is None


def test_the_newest_image_of_a_name_is_taken(ec2: OnEC2) -> None:
    searched = ec2.otherwise(image={"name": "amzn2-ami-*", "architecture": "x86_64"})
    images = searched.provider.images(searched.driver)
    assert images
    create(searched)
    assert searched.machine("w-1").extra["image_id"] == images[0].id


def test_an_image_that_is_nowhere_is_said_so(ec2: OnEC2) -> None:
    with pytest.raises(NoSuchImage):
        create(ec2.otherwise(image={"name": "no-such-image"}))


def test_flavours_are_those_declared_with_their_prices(ec2: OnEC2) -> None:
    prices = [
        {"flavour": "m5.*", "per_hour": 1.0},
        {"flavour": "m5.large", "per_hour": 0.1, "valid_from": "2026-01-01"},
        {"flavour": "m5.large", "per_hour": 9.0, "valid_from": "2999-01-01"},
    ]
    offered = {one.name: one for one in ec2.otherwise(prices=prices).cloud.flavours()}
    assert set(offered) > {"m5.large", "m5.xlarge"} and all(name.startswith("m5.") for name in offered)
    assert (offered["m5.large"].price, offered["m5.xlarge"].price) == (0.1, 1.0)
    assert (offered["m5.large"].size.cpus, offered["m5.large"].size.memory_mib) == (2, 8192)
    assert offered["m5.large"].region == "eu-west-1"


def test_a_stopped_machine_is_shown_with_its_reason(ec2: OnEC2) -> None:
    create(ec2)
    ec2.driver.stop_node(ec2.machine("w-1"))
    [node] = ec2.cloud.nodes()
    assert (node.state, bool(node.detail)) == (NodeState.STOPPED, True)


def test_what_was_seen_is_kept_for_a_while_and_not_over_an_act(ec2: OnEC2) -> None:
    lazy = ec2.otherwise(poll_s=1000)
    assert names(lazy) == []
    create(ec2)
    assert names(lazy) == []
    create(lazy, "w-2")
    assert names(lazy) == ["w-1", "w-2"]


def test_a_cloud_that_takes_long_to_say_nothing_is_not_asked_all_the_time(ec2: OnEC2) -> None:
    now = [0.0]

    def slow(_: object) -> list[object]:
        now[0] += 20
        raise TimeoutError

    lazy = ec2.otherwise(poll_s=10)
    lazy.cloud._machines_there._spared._clock = lambda: now[0]
    lazy.provider.machines = slow  # type: ignore[assignment,method-assign]  # a cloud in trouble
    for _ in range(100):
        now[0] += 1
        with pytest.raises(Unavailable):
            lazy.cloud.nodes()
    assert now[0] <= 100 + 2 * 20
    del lazy.provider.machines
    now[0] += 60
    assert names(lazy) == []


@pytest.mark.parametrize("content", [None, "", "[default]\naws_access_key_id = AK\n", "\xff[", "no file of sections"])
def test_credentials_that_cannot_be_read_are_named_by_their_file(ec2: OnEC2, content: str | None) -> None:
    ec2.declared.credentials_file.unlink()
    if content is not None:
        ec2.declared.credentials_file.write_bytes(content.encode("latin-1"))
    ec2.cloud._of_thread.driver = None
    with pytest.raises(CredentialsRefused, match=str(ec2.declared.credentials_file)) as caught:
        ec2.cloud.nodes()
    assert "AK" not in str(caught.value)


def test_declared_prices_are_told_with_their_days_and_no_quota_is_made_up(ec2: OnEC2) -> None:
    prices = ({"flavour": "m5.*", "per_hour": 0.1, "valid_from": "2026-01-01"},)
    about = ec2.otherwise(prices=prices).cloud.about()
    assert [(price.flavour, price.per_hour, price.valid_from.year) for price in about.prices] == [("m5.*", 0.1, 2026)]
    assert about.quota == Quota()
