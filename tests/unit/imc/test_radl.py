"""What an Infrastructure Manager is told, and what its RADL says of whose a machine is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prominence.core.errors import Rejected
from prominence.core.settings import load
from prominence.imc.adapters import infrastructure_manager_radl as radl
from prominence.imc.declared import ManagedSettings
from prominence.imc.settings import ImcSettings

SETTINGS = """
token_file = "/run/token"
[pool]
collector = "ap"
keys_dir = "/run/keys"
revocations_file = "/state/revoked.conf"
[joining]
url = "https://door"
[clouds.island]
type = "im"
url = "URL"
credentials_file = "/run/im"
image = "ost://cloud.example.org/1234"
flavours = [{name = "small", cpus = 2, memory_mib = 4000, price = 0.1, instance_type = "m1.small"}]
system = {SYSTEM}
"""

OURS = "description worker (prominence.pool = 'p' and\nprominence.worker = 'w-1')\n"


def declared(folder: Path, url: str = "https://im.example.org/im", system: str = "") -> ManagedSettings:
    file = folder / "imc.toml"
    file.write_text(SETTINGS.replace("URL", url).replace("SYSTEM", system))
    found = load(ImcSettings, "imc", file, {}).clouds["island"]
    assert isinstance(found, ManagedSettings)
    return found


def test_our_marks_are_told_and_read_again(tmp_path: Path) -> None:
    settings = declared(tmp_path, system='"gpu.count" = 1')
    told = radl.wanted(settings, "p", "w-1", settings.flavours[0].offered("island"), "#cloud-config")
    by_class = {part["class"]: part for part in told}
    assert by_class["description"] == {
        "class": "description",
        "id": "worker",
        "prominence.pool": "p",
        "prominence.worker": "w-1",
    }
    assert by_class["system"]["memory.size_min"] == 4000 * 2**20
    assert (by_class["system"]["gpu.count"], by_class["system"]["instance_type"]) == (1, "m1.small")
    assert by_class["configure"]["recipes"] == "#cloud-config"
    assert "cloud" not in by_class["deploy"]


@pytest.mark.parametrize(
    ("text", "worker"),
    [
        (OURS, "w-1"),
        (f"network a ()\n{OURS}system worker ()\n", "w-1"),
        (OURS.replace("'p'", "'p2'"), ""),
        (f"configure a (\n@begin\n  {OURS}@end\n)", ""),
        ("description other (name = 'p')", ""),
        ("", ""),
    ],
)
def test_a_machine_is_ours_by_its_description_alone(text: str, worker: str) -> None:
    assert radl.worker(text, "p") == worker


def test_what_is_to_be_deployed_is_told_last() -> None:
    assert not radl.is_complete(OURS)
    assert radl.is_complete(f"{OURS}deploy worker 1 dummy")


@given(st.text() | st.builds("description worker ({})".format, st.text()))
@example("description worker (")
def test_whatever_others_wrote_is_not_ours(text: str) -> None:
    assert radl.worker(text, "a pool of ours") == ""


@pytest.mark.parametrize(
    ("url", "system", "mistake"),
    [
        ("http://im.example.org", "", "clouds.island.url"),
        ("https://user:word@im.example.org", "", "clouds.island.url"),
        ("https://im", '"instance_tags" = "a=b"', "imc itself says instance_tags"),
        ("https://im", '"cpu.count_min" = 4', "imc itself says cpu.count"),
        ("https://im", '"a b" = 4', "clouds.island.system"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, url: str, system: str, mistake: str) -> None:
    with pytest.raises(Rejected, match=mistake):
        declared(tmp_path, url, system)
