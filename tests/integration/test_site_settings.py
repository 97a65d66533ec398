"""What the roles tell our services and Prometheus on each machine of a control plane on several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from prominence.core.settings import Settings
from prominence.imc.settings import ImcSettings
from prominence.restapi.settings import RestApiSettings
from prominence.scaler.settings import ScalerSettings

ROOT = Path(__file__).parents[2]
SETTINGS: Mapping[str, type[Settings]] = {"scaler": ScalerSettings, "imc": ImcSettings, "access_point": RestApiSettings}
FILES = {"scaler": "scaler.toml", "imc": "imc.toml", "access_point": "restapi.toml", "monitoring": "prometheus.yml"}
JOBS = {"scaler": 9702, "imc": 9703, "access_point": 9704}

SPREAD = {
    "central_manager": ["manager"],
    "access_point": ["queue"],
    "scaler": ["scaler-1"],
    "imc": ["manager", "queue", "scaler-1"],
    "etcd": ["store"],
}
TWO = ["c-1", "c-2"]
BOTH = {"central_manager": TWO, "access_point": ["c-1"], "scaler": TWO, "imc": TWO, "etcd": [*TWO, "node"]}

Groups = Mapping[str, list[str]]


@pytest.mark.parametrize(
    ("groups", "monitors"),
    [(SPREAD, ["watch"]), (BOTH, ["c-1"]), (BOTH, ["c-1", "watch"])],
    ids=["each on another", "two of them", "read twice"],
)
def test_figures_are_told_where_they_are_read_and_nowhere_else(
    groups: Groups, monitors: list[str], tmp_path: Path
) -> None:
    told = _told({**groups, "monitoring": monitors}, tmp_path)
    heard: dict[str, set[str]] = {}
    for part, port in JOBS.items():
        for host in groups[part]:
            settings = SETTINGS[part].model_validate(tomllib.loads(told[host, part]))
            at = settings.model_dump()["metrics"]["host"]
            assert (at == "127.0.0.1") is (set(monitors) <= {host}), (host, part)
            for monitor in monitors:
                place = at if monitor == host else host
                heard.setdefault(monitor, set()).add(f"{place}:{port}")
    for monitor in monitors:
        jobs = yaml.safe_load(told[monitor, "monitoring"])["scrape_configs"]
        read = [target for job in jobs for one in job["static_configs"] for target in one["targets"]]
        assert sorted(read) == sorted(heard[monitor])


def _told(groups: Groups, folder: Path) -> dict[tuple[str, str], str]:
    """The text of the file that a part has on a host, by both."""
    hosts = sorted({host for names in groups.values() for host in names})
    addresses = {host: {"known": f"192.0.2.{number}"} for number, host in enumerate(hosts, 1)}
    children = {group: {"hosts": {host: {} for host in names}} for group, names in groups.items()}
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"hosts": addresses, "children": children}}))
    # Beside the roles and what they read, as a checkout has them.
    (folder / "monitoring").symlink_to(ROOT / "monitoring")
    (folder / "ansible").mkdir()
    (folder / "ansible" / "roles").symlink_to(ROOT / "ansible" / "roles")
    book = folder / "ansible" / "told.yml"
    book.write_text(json.dumps([_play(folder)]))
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(folder / "home")}
    command = [Path(sys.executable).with_name("ansible-playbook"), "--inventory", inventory, book]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return {(host, part): (folder / f"{host}.{part}").read_text() for part in FILES for host in groups.get(part, [])}


def _play(folder: Path) -> dict[str, Any]:
    roles = folder / "ansible" / "roles"
    templates = {part: str(roles / part / "templates" / f"{file}.j2") for part, file in FILES.items()}
    told = {
        "content": "{{ lookup('template', item.value) }}",
        "dest": f"{folder}/{{{{ inventory_hostname }}}}.{{{{ item.key }}}}",
    }
    return {
        "hosts": "all",
        "gather_facts": False,
        "connection": "local",
        "vars": {"ansible_python_interpreter": sys.executable},
        "vars_files": [str(roles / role / "defaults" / "main.yml") for role in ("base", *FILES)],
        "tasks": [
            {
                "name": "What the parts of this host are told",
                "ansible.builtin.copy": told,
                "loop": [{"key": part, "value": template} for part, template in templates.items()],
                "when": "item.key in group_names",
                "vars": {"prominence_address": "{{ known }}"},
            }
        ],
    }
