"""Objects on a real pool: in by an upload, through a job, and out again."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from typing import Any

import pytest
import requests
from file_server import a_tgz
from real_parts import RealPool, until

GROWN = b"a line of data\n" * 20_000


def upload(pool: RealPool, name: str, content: bytes) -> None:
    checksum = hashlib.sha256(content).hexdigest()
    answer = pool.request("POST", "/data/upload", json={"filename": name, "checksum": checksum, "size": len(content)})
    assert answer.status_code == 201, answer.text
    assert requests.put(answer.json()["url"], data=content, timeout=60).status_code == 201


def a_shell(image: str, script: str, **changes: Any) -> dict[str, Any]:
    return {"image": image, "cmd": "sh -c " + repr(script), "runtime": "docker", **changes}


def content(output: dict[str, Any]) -> bytes:
    answer = requests.get(output["url"], timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_a_job_gets_its_files_and_keeps_what_it_makes(pool: RealPool, tiny_image: str) -> None:
    upload(pool, "words.tgz", a_tgz({"words": b"from the archive\n"}))
    upload(pool, "grown.txt", GROWN)
    script = "cat words; ./run.sh; mkdir results; cp grown.txt results/copy; cp words out-1.txt; ls -a; env; ls -la /"
    job = pool.submit(
        a_shell(tiny_image, script),
        inputs=[
            {
                "filename": "run.sh",
                "content": base64.b64encode(b"#!/bin/sh\necho from the input\n").decode(),
                "executable": True,
            }
        ],
        artifacts=[{"url": "words.tgz"}, {"url": "grown.txt"}],
        outputFiles=["out-*.txt"],
        outputDirs=["results"],
    )
    described = pool.finish(job)
    assert described["status"] == "completed", described
    printed = pool.output(job)
    assert "from the archive\nfrom the input\n" in printed
    [file], [directory] = described["outputFiles"], described["outputDirs"]
    assert file["name"] == "out-1.txt"
    assert content(file) == b"from the archive\n"
    with tarfile.open(fileobj=io.BytesIO(content(directory))) as archive:
        copied = archive.extractfile("results/copy")
        assert copied is not None
        assert copied.read() == GROWN
    assert {"stageInTime", "stageOutTime"} <= set(described["execution"])

    uid = pool.history(job)["ProminenceJobUniqueIdentifier"]
    token = (pool.state / "jobs" / uid / "job.token").read_text()
    assert token.count(".") == 2
    assert token not in printed
    assert "job.token" not in printed
    assert "TOKEN" not in printed
    assert token not in str(pool.history(job))
    logs = [path.read_text(errors="replace") for path in (pool.state / "log" / "restapi").glob("*.log")]
    assert not any(token in text for text in logs)
    # The job has ended, and some seconds later so has what its token is good for.
    headers = {"Authorization": f"Bearer {token}"}
    asked = {"json": {"name": "out-1.txt"}, "headers": headers, "timeout": 30}
    until(lambda: requests.post(f"{pool.url}/data/output", **asked).status_code == 403, 30)


@pytest.mark.parametrize("runtime", ["docker"])
def test_a_directory_is_mounted_where_the_job_wants_it(pool: RealPool, tiny_image: str, runtime: str) -> None:
    upload(pool, "mounted.tgz", a_tgz({"data/a.txt": b"mounted\n"}))
    first = a_shell(tiny_image, "cat /opt/data/a.txt data/a.txt; echo more > /opt/data/b.txt", runtime=runtime)
    second = a_shell(tiny_image, "cat /opt/data/b.txt; ls -ld data", runtime=runtime)
    job = pool.submit(first, second, artifacts=[{"url": "mounted.tgz", "mountpoint": "data:/opt/data"}])
    described = pool.finish(job)
    assert described["status"] == "completed", described
    assert pool.output(job).startswith("mounted\nmounted\nmore\n")
    assert pool.output(job).rstrip().endswith("data -> /opt/data")


def test_an_artifact_that_goes_before_the_job_starts_is_told_by_name(pool: RealPool, tiny_image: str) -> None:
    upload(pool, "soon-gone", b"x")
    # Held back until the object is gone.
    job = pool.submit(
        a_shell(tiny_image, "true"),
        artifacts=[{"url": "soon-gone"}],
        resources={"cpus": 2, "memory": 3, "disk": 0.1},
    )
    assert pool.request("DELETE", "/data/soon-gone").status_code == 204
    described = pool.finish(job)
    assert (described["status"], described["statusReasonCode"]) == ("failed", "ArtifactNotFound"), described
    assert "soon-gone" in described["statusReason"]


def test_an_output_that_was_not_made_fails_the_job_and_the_rest_is_kept(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit(a_shell(tiny_image, "echo hello > made"), outputFiles=["lost.txt", "made"])
    described = pool.finish(job)
    assert (described["status"], described["statusReasonCode"]) == ("failed", "OutputNotFound"), described
    assert [output["name"] for output in described["outputFiles"]] == ["lost.txt", "made"]
    assert content(described["outputFiles"][1]) == b"hello\n"


def test_what_a_failed_task_left_is_kept(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit(a_shell(tiny_image, "echo why > why.txt; exit 7"), outputFiles=["why.txt"])
    described = pool.finish(job)
    assert (described["status"], described["exitCode"]) == ("failed", 7), described
    assert content(described["outputFiles"][0]) == b"why\n"


def test_a_link_out_of_the_home_keeps_nothing(pool: RealPool, tiny_image: str) -> None:
    script = "ln -s ../../job.token a; ln -s /etc/hostname b; echo x > /home/user/real; ln -s /home/user/real c"
    job = pool.submit(a_shell(tiny_image, script), outputFiles=["a", "b", "c"])
    described = pool.finish(job)
    assert [bool(output["url"]) for output in described["outputFiles"]] == [False, False, True], described


def test_what_has_had_its_time_is_taken_away_by_its_process(pool: RealPool, tiny_image: str) -> None:
    upload(pool, "old", b"x")
    job = pool.submit(a_shell(tiny_image, "echo x > out"), outputFiles=["out"])
    assert pool.finish(job)["status"] == "completed"
    uid = pool.history(job)["ProminenceJobUniqueIdentifier"]
    assert "retention" in pool.inside("access-point", "ps", "-ef")
    command = (
        "PROMINENCE_RESTAPI_DATA__UPLOADS_KEPT_DAYS=0.00001 PROMINENCE_RESTAPI_DATA__OUTPUTS_KEPT_DAYS=0.00001 "
        "PROMINENCE_RESTAPI_DATA__JOBS_KEPT_DAYS=10 python3 -m prominence.restapi.retention.main "
        '--config "$PROMINENCE_STATE/config/restapi.toml" '
    )
    planned = until(
        lambda: next(
            (
                text
                for text in [pool.inside("access-point", "sh", "-c", command + "--dry-run", user="prominence")]
                if f"scratch/{uid}/out" in text and "/old" in text
            ),
            None,
        ),
        30,
    )
    assert f"sandboxes {uid}" not in planned
    pool.inside("access-point", "sh", "-c", command + "--once", user="prominence")
    assert all(item["name"] != "old" for item in pool.request("GET", "/data").json())
    assert pool.describe(job)["outputFiles"] == [{"name": "out", "url": ""}]
    assert pool.output(job) == ""
    assert pool.request("GET", "/quota").json()["user"]["outputs"] == 0
