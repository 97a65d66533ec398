"""The playbook brings a pool up on a host, here this one, and changes nothing the second time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import docker
import pytest
import yaml
from real_parts import new_pool

from prominence.imc.settings import ImcSettings
from prominence.scaler.settings import ScalerSettings

ROOT = Path(__file__).parents[2]
PLAYBOOK = ROOT / "ansible" / "personal_pool.yml"
BOOKS = sorted(path.name for path in PLAYBOOK.parent.glob("*.yml") if "inventory" not in path.name)


def test_playbooks_and_roles_are_as_ansible_lint_wants_them(tmp_path: Path) -> None:
    """Its production profile, which reads each playbook's syntax, too."""
    assert {"site.yml", "drain.yml", "undrain.yml", "upgrade.yml", "remove.yml"} <= set(BOOKS)
    command = [Path(sys.executable).with_name("ansible-lint"), "--offline", "--nocolor", "ansible"]
    environment = {**os.environ, "ANSIBLE_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "hosts"),
    [("", ["1", "3"]), ("ha.", ["3", "8"]), ("mixed.", ["1", "2"])],
)
def test_the_example_inventories_are_some_for_the_site(kind: str, hosts: list[str], tmp_path: Path) -> None:
    inventory = PLAYBOOK.with_name(f"inventory.{kind}example.yml")
    command = [Path(sys.executable).with_name("ansible-playbook"), "--inventory", inventory, "--list-hosts"]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, PLAYBOOK.with_name("site.yml")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"hosts \((\d)\)", done.stdout) == hosts, done.stdout


def test_the_settings_of_the_mixed_site_are_some() -> None:
    """The same texts that the roles put into the files of imc and scaler, beside what those have in any case."""
    variables = yaml.safe_load(PLAYBOOK.with_name("inventory.mixed.example.yml").read_text())["all"]["vars"]
    pool = {"collector": "control", "keys_dir": "/keys", "revocations_file": "/revoked"}
    clouds = tomllib.loads(variables["prominence_clouds"])
    imc = ImcSettings.model_validate({"token_file": "/token", "pool": pool, **clouds})
    assert list(imc.clouds) == ["north-cloud"] and imc.joining is not None
    policy = tomllib.loads(variables["prominence_scaler_settings"])
    scaler = ScalerSettings.model_validate({"imc": {"token_file": "/token"}, **policy})
    assert scaler.policy.max_workers == 20


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_pool_is_up_after_the_playbook_and_stays_as_it_is(engine: docker.DockerClient, tmp_path: Path) -> None:
    pool = new_pool(tmp_path / "state", engine)
    variables = {
        "prominence_home": tmp_path / "home",
        "prominence_pool": pool.name,
        "prominence_state_home": pool.home,
        "ansible_become": "false",
        "ansible_python_interpreter": sys.executable,
    }
    command = [Path(sys.executable).with_name("ansible-playbook"), "--inventory", "localhost,", "--connection", "local"]
    for name, value in variables.items():
        command += ["--extra-vars", f"{name}={value}"]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(tmp_path / "ansible")}
    try:
        for run in ("first", "second"):
            done = subprocess.run(
                [*command, PLAYBOOK], env=environment, capture_output=True, text=True, check=False, timeout=500
            )
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
            changed = int(re.findall(r"changed=(\d+)", done.stdout)[-1])
            assert (changed == 0) is (run == "second"), done.stdout
        assert pool.run("pool", "status", "--name", pool.name).returncode == 0
    finally:
        pool.down("--purge")
