"""The promise of JobQueue on the real schedd, kept where the API runs: inside the access point, as the API's account,
with the bindings of the access point's own HTCondor."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from real_parts import RealPool

TESTS = Path(__file__).parents[1]
PYTHON = "3.13"
"""Of the access point."""


@pytest.fixture(scope="module")
def pytest_for_the_access_point(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("deps") / "deps"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target, "--only-binary", ":all:"]
    subprocess.run([*pip, "--python-version", PYTHON, "pytest>=8"], check=True, capture_output=True)
    return target


def test_the_real_schedd_keeps_the_promise(pool: RealPool, pytest_for_the_access_point: Path) -> None:
    access_point = pool.containers("access-point")[0]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(pytest_for_the_access_point, "contract/deps")
        for name in ("builders.py", "contract/test_job_queue.py"):
            tar.add(TESTS / name, f"contract/tests/{name}")
    access_point.put_archive("/var/tmp", archive.getvalue())
    here = "/var/tmp/contract"
    done = access_point.exec_run(
        [
            *("python3", "-m", "pytest", "--noconftest", "-c", "/dev/null", "-p", "no:cacheprovider", "-q"),
            *("--import-mode=importlib", f"{here}/tests/contract/test_job_queue.py"),
        ],
        user="prominence:sandboxes",
        workdir=here,
        environment={
            "PROMINENCE_TEST_SCHEDD": "local",
            "PROMINENCE_TEST_SANDBOXES": str(pool.state / "jobs"),
            "PROMINENCE_TEST_ARCHIVE": str(pool.state / "archive" / "jobs.db"),
            "PROMINENCE_TEST_HISTORY": str(pool.state / "condor" / "spool" / "history"),
            "PYTHONPATH": f"/opt/prominence/lib:/opt/prominence/site:{here}/deps:{here}/tests",
        },
    )
    said = done.output.decode()
    assert done.exit_code == 0, said
    assert " passed" in said
    assert "skipped" not in said
