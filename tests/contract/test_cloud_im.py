"""What an Infrastructure Manager asks of us beyond the promise of a cloud: the real one, with a cloud that pretends."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml
from cloud_servers import FILES
from infrastructure_manager import LINES, Managed, manager

from prominence.core.errors import (
    CloudError,
    CredentialsRefused,
    NoSuchFlavour,
    NoSuchImage,
    OutOfCapacity,
    QuotaExceeded,
    Unavailable,
)
from prominence.imc.adapters.infrastructure_manager_api import authorization
from prominence.imc.ports import NodeState


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with manager() as url:
        yield url


@pytest.fixture
def island(address: str, tmp_path: Path) -> Managed:
    return Managed(address, tmp_path)


def create(island: Managed, name: str = "w-1") -> None:
    island.cloud.create(name, island.cloud.flavours()[0], FILES)


def names(island: Managed) -> list[str]:
    return [node.name for node in island.cloud.nodes()]


def test_a_machine_bears_our_marks_and_gets_what_was_declared(island: Managed) -> None:
    flavour = {"name": "small", "cpus": 2, "memory_mib": 4000, "disk_mib": 10, "instance_type": "m1.small"}
    create(
        island.otherwise(
            flavours=(flavour,),
            cloud_id="dummy",
            system={"disk.0.os.credentials.username": "debian", "gpu.count": 1},
            network={"provider_id": "net-1"},
        )
    )
    [radl] = island.radls().values()
    marks = f"prominence.pool={island.pool},prominence.worker=w-1"
    for said in (
        f"instance_tags = '{marks}'",
        "cpu.count >= 2",
        f"memory.size >= {4000 * 2**20}",
        f"disks.free_size >= {10 * 2**20}",
        "instance_type = 'm1.small'",
        "disk.0.image.url = 'mock0://linux/1'",
        "net_interface.0.dns_name = 'w-1'",
        "disk.0.os.credentials.username = 'debian'",
        "gpu.count = 1",
        "provider_id = 'net-1'",
        "deploy worker 1 dummy",
        "configure worker  with cloud_init",
    ):
        assert said in radl


def test_its_files_come_as_user_data(island: Managed) -> None:
    create(island)
    user_data = requests.get(f"{island.url}/_user_data", timeout=10).text
    assert user_data.startswith("#cloud-config\n")
    config = yaml.safe_load(user_data)
    [token] = [one for one in config["write_files"] if one["path"] == FILES[0].path]
    assert (base64.b64decode(token["content"]), token["permissions"]) == (b"the token\n", "0600")
    assert ["systemctl", "daemon-reload"] in config["runcmd"]


def test_machines_of_others_are_not_seen_and_not_deleted(island: Managed) -> None:
    other = island.otherwise(pool=f"{island.pool}-2")
    create(island)
    create(other)
    assert names(island) == ["w-1"]
    island.cloud.delete("w-1")
    assert names(other) == ["w-1"]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Error creating the node: 403 Forbidden Quota exceeded for cores: Requested 2, used 20 of 20", QuotaExceeded),
        ("An error occurred (InstanceLimitExceeded) when calling RunInstances", QuotaExceeded),
        ("Error, no instance type available for the requirements.", NoSuchFlavour),
        ("Error launching VM: No valid host was found.", OutOfCapacity),
        ("InsufficientInstanceCapacity: We have none in this zone", OutOfCapacity),
        ("Error, image with ID: 12 not found", NoSuchImage),
        ("Error connecting with EC2, check the credentials", CredentialsRefused),
        ("something else", CloudError),
    ],
)
def test_what_the_cloud_refuses_has_its_name_and_leaves_nothing(
    island: Managed, said: str, error: type[CloudError]
) -> None:
    island.fail(launch=said)
    with pytest.raises(error, match=said[-20:].replace(".", r"\.")) as caught:
        create(island)
    assert caught.type is error
    assert island.radls() == {}


@pytest.mark.parametrize(
    ("status", "error"), [(500, Unavailable), (504, Unavailable), (429, Unavailable), (401, CredentialsRefused)]
)
def test_what_the_manager_refuses_has_its_name(island: Managed, status: int, error: type[Exception]) -> None:
    island.fail(method="POST", path="/infrastructures", status=status, message="as told")
    with pytest.raises(error):
        create(island)
    assert island.radls() == {}


def test_a_machine_that_fails_late_is_refused_and_leaves_nothing(island: Managed) -> None:
    island.fail(states={"w-late": "pending"})
    island.cloud._pause = lambda _: island.fail(states={"w-late": "failed"})
    with pytest.raises(CloudError, match="the machine has failed"):
        create(island, "w-late")
    assert island.radls() == {}


def test_a_machine_that_was_made_although_an_error_came_is_found_and_no_second_made(island: Managed) -> None:
    island.fail(method="POST", path="/infrastructures", status=504, message="too late", after=True)
    with pytest.raises(Unavailable):
        create(island)
    create(island)
    assert len(island.radls()) == 1


def test_of_two_machines_of_one_name_the_first_is_kept(island: Managed) -> None:
    create(island)
    first = island.infrastructure("w-1")
    island.ask("POST", "/infrastructures", data=island.radls()[first])
    assert [node.copies for node in island.cloud.nodes()] == [2]
    island.cloud.thin_out("w-1")
    assert list(island.radls()) == [first]


def test_a_failing_listing_is_unknown_and_not_empty(island: Managed) -> None:
    create(island)
    for path in ("/infrastructures", f"/infrastructures/{island.infrastructure('w-1')}/state"):
        island.fail(method="GET", path=path, status=500, message="database is locked")
        with pytest.raises(Unavailable, match="database is locked"):
            island.cloud.nodes()
        island.let_an_hour_pass()
    assert names(island) == ["w-1"]


def test_an_empty_list_for_another_user_is_not_taken_for_no_machines(island: Managed) -> None:
    create(island)
    assert names(island) == ["w-1"]
    island.declared.credentials_file.write_text(LINES.replace("username = u", "username = v"))
    with pytest.raises(CredentialsRefused):
        island.cloud.nodes()
    island.declared.credentials_file.write_text(LINES)
    island.let_an_hour_pass()
    assert names(island) == ["w-1"]


def test_a_refused_deletion_is_told_and_can_be_repeated(island: Managed) -> None:
    create(island)
    path = f"/infrastructures/{island.infrastructure('w-1')}"
    island.fail(method="DELETE", path=path, status=400, message="Error Destroying Inf: it is locked")
    with pytest.raises(CloudError, match="it is locked"):
        island.cloud.delete("w-1")
    island.cloud.delete("w-1")
    assert island.radls() == {}


@pytest.mark.parametrize(
    ("state", "seen"),
    [("unknown", NodeState.RUNNING), ("pending", NodeState.RUNNING), ("off", NodeState.STOPPED)],
)
def test_a_machine_of_which_the_cloud_knows_nothing_has_not_ended(island: Managed, state: str, seen: NodeState) -> None:
    name = f"w-{state}"
    island = island.otherwise(settle_s=0)
    create(island, name)
    island.fail(states={name: state})
    assert {node.name: node.state for node in island.cloud.nodes()} == {name: seen}


@pytest.mark.parametrize(
    "content", ["", "id = dummy; type = Dummy", "type = InfrastructureManager; password = hidden\0", "é hidden"]
)
def test_credentials_that_cannot_be_used_are_named_by_their_file(island: Managed, content: str) -> None:
    island.declared.credentials_file.write_text(content)
    with pytest.raises(CredentialsRefused, match=str(island.declared.credentials_file)) as caught:
        authorization(island.declared)
    assert "hidden" not in str(caught.value)
    island.declared.credentials_file.unlink()
    with pytest.raises(CredentialsRefused, match="No such file"):
        island.cloud.nodes()


def test_what_was_seen_is_kept_for_a_while_and_not_over_an_act(island: Managed) -> None:
    slow = island.otherwise(poll_s=1000)
    create(slow)
    assert names(slow) == ["w-1"]
    island.ask("DELETE", f"/infrastructures/{island.infrastructure('w-1')}")
    assert names(slow) == ["w-1"]
    slow.cloud.delete("w-1")
    assert names(slow) == []


def test_an_address_that_is_none_of_a_manager_is_unavailable(island: Managed) -> None:
    island.cloud._declared = island.declared.model_copy(update={"url": f"{island.url}/elsewhere"})
    with pytest.raises(Unavailable, match="is url that of its REST API"):
        island.cloud.nodes()


def test_prices_are_told(island: Managed) -> None:
    assert [price.per_hour for price in island.cloud.about().prices] == [0.5]
