"""Images that are files on a real pool: uploaded, or from the web, with both runtimes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from file_server import serving
from real_executor import a_sif
from real_parts import RealPool, gateway, until

COMMAND = "sh -c 'echo $PROMINENCE_CONTAINER_RUNTIME; id -u; touch made; ls'"


@pytest.fixture
def archive(pool: RealPool, tiny_image: str, tmp_path: Path) -> Path:
    """What docker itself saves."""
    file = tmp_path / "tiny.tar"
    with open(file, "wb") as opened:
        for piece in pool.engine.images.get(tiny_image).save(named=True):
            opened.write(piece)
    return file


@pytest.mark.parametrize("runtime", ["docker", "apptainer"])
def test_what_docker_saves_is_uploaded_and_runs_with_both(pool: RealPool, archive: Path, runtime: str) -> None:
    pool.run("upload", str(archive), "--name", f"{runtime}.tar")
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    options = ("--runtime", runtime, "--image-sha256", checksum, "--disk", "0.1", "--memory", "0.2")
    done = pool.run("create", "--follow", *options, f"{runtime}.tar", COMMAND)
    assert done.stdout.splitlines()[:1] == [runtime], (done.stdout, done.stderr)
    assert "made" in done.stdout
    [job] = pool.request("GET", "/jobs?completed=true&limit=1").json()
    [task] = pool.describe(job["id"])["execution"]["tasks"]
    assert task["imageSha256"] == checksum
    ours = [f"prominence.pool={pool.name}", "prominence.role=image"]
    until(lambda: not pool.engine.api.images(filters={"label": ours}), 30)


def test_apptainers_own_runs_with_apptainer_whatever_is_wished_for(pool: RealPool, archive: Path) -> None:
    # Outside of the pool's own network, of which jobs reach nothing.
    sif = a_sif(pool.engine, archive.read_bytes())
    path = "/files/tiny.sif/content?signature=secret"
    with serving({path: sif}, gateway(pool.engine)) as base:
        job = pool.submit(
            {"image": base + path, "runtime": "docker", "cmd": COMMAND},
            {"image": base + path, "cmd": "sh -c 'ls; id -u'"},
        )
        described = pool.finish(job)
    assert described["status"] == "completed", described
    lines = pool.output(job).splitlines()
    assert (lines[0], lines[2:4]) == ("apptainer", ["made", "made"])
    assert int(lines[1]) >= 1000
    assert "imagePullTime" not in described["execution"]["tasks"][1]
    assert "secret" not in str(pool.history(job))
    assert "ProminenceRuntimes" in str(pool.history(job)["Requirements"])


def test_what_cannot_be_had_is_told_by_its_name(pool: RealPool, archive: Path) -> None:
    answer = pool.request("POST", "/jobs", json={"tasks": [{"image": "never-uploaded.sif"}], "resources": {}})
    assert (answer.status_code, "there is no object never-uploaded.sif" in answer.text) == (400, True)
    with serving({"/tiny.tar": archive.read_bytes()}) as base:  # the worker's own address, as it understands it
        job = pool.submit({"image": f"{base}/tiny.tar", "cmd": "true"})
        described = pool.finish(job)
    assert (described["status"], described["statusReasonCode"]) == ("failed", "ImagePullFailed"), described
    assert "its address is one that nothing is fetched from" in described["statusReason"]
