from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from prominence.executor import package


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("packed") / "executor.pyz"
    assert package.main([str(file)]) == 0
    return file


def test_the_same_sources_give_the_same_bytes(executor: Path) -> None:
    assert executor.read_bytes() == package.build()


def test_it_is_a_program(executor: Path) -> None:
    assert executor.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert executor.stat().st_mode & 0o777 == 0o755


def test_it_carries_itself_and_the_documents_and_nothing_else(executor: Path) -> None:
    with zipfile.ZipFile(executor) as packed:
        names = packed.namelist()
    assert {name.rpartition("/")[0] for name in names} == {
        "",
        "prominence",
        "prominence/core",
        "prominence/executor",
        "prominence/executor/adapters",
        "prominence/executor/broker",
    }
    brokers = {"prominence/executor/broker/__init__.py", "prominence/executor/broker/protocol.py"}
    assert {name for name in names if name.startswith("prominence/executor/broker/")} == brokers
    assert sorted(name for name in names if name.startswith("prominence/core/")) == [
        f"prominence/core/{name}.py" for name in sorted(package.CORE)
    ]


def test_a_job_whose_plan_is_missing_is_reported_by_bare_python_from_any_directory(
    executor: Path, tmp_path: Path
) -> None:
    # -S: without site-packages, where everything that must be installed lives.
    command = [sys.executable, "-I", "-S", str(executor), "plan.json"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (250, "", "")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["outcome"], report["reason"]) == ("system failed", "ExecutorFailed")
    assert "No such file" in report["details"]["detail"]


def test_with_bytecode_it_does_the_same_and_needs_no_source(executor: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bytecode-alone", "w") as stripped:
        for name, content in _contents(package.with_bytecode(executor.read_bytes())).items():
            if name.endswith(".pyc"):
                stripped.writestr(name, content)
    assert _run(tmp_path / "bytecode-alone", tmp_path) == 250
    assert (tmp_path / "report.json").exists()


def test_bytecode_of_another_python_is_passed_over(executor: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "foreign", "w") as foreign:
        for name, content in _contents(package.with_bytecode(executor.read_bytes())).items():
            foreign.writestr(name, b"\0\0\r\n" + content[4:] if name.endswith(".pyc") else content)
    assert _run(tmp_path / "foreign", tmp_path) == 250
    assert (tmp_path / "report.json").exists()


def test_bytecode_is_added_to_files_that_are_there_and_they_stay_programs(executor: Path, tmp_path: Path) -> None:
    files = [tmp_path / "executor.pyz", tmp_path / "broker.pyz"]
    for file in files:
        file.write_bytes(executor.read_bytes())
        file.chmod(0o755)
    assert package.main(["--add-bytecode", *map(str, files)]) == 0
    assert package.main(["--add-bytecode", str(files[0])]) == 0  # again
    for file in files:
        assert file.read_bytes() == package.with_bytecode(executor.read_bytes())
        assert file.stat().st_mode & 0o777 == 0o755


def test_a_job_does_not_wait_for_what_it_may_not_need(executor: Path) -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import prominence.executor.main; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", program, str(executor)]
    loaded = subprocess.run(command, env={}, capture_output=True, text=True, check=True).stdout.split()
    assert "prominence.executor.run" in loaded
    assert not {
        "ssl",
        "http.client",
        "urllib.request",
        "tarfile",
        "argparse",
        "traceback",
        "hashlib",
        "dataclasses",
    } & set(loaded)
    assert "prominence.executor.adapters.apptainer" not in loaded  # before it is known that the job needs it


def test_the_broker_is_packed_too_and_refuses_to_run_without_its_settings(tmp_path: Path) -> None:
    file = tmp_path / "broker.pyz"
    package.main(["--broker", str(file)])
    env = {"PROMINENCE_BROKER_CONFIG": str(tmp_path / "missing")}
    done = subprocess.run([sys.executable, "-I", "-S", str(file)], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "prominence broker: pool: missing\n")


def _contents(program: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(program)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def _run(program: Path, directory: Path) -> int:
    """Without a plan: it says so in its report and exits with 250."""
    command = [sys.executable, "-I", "-S", str(program), "plan.json"]
    return subprocess.run(command, cwd=directory, env={}, check=False).returncode
