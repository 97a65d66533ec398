"""The published client, unchanged, in an environment of its own, against our API."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from real_parts import RealPool


def _run(old_client: Path, pool: RealPool, *arguments: str) -> str:
    done = subprocess.run(
        [old_client, *arguments], capture_output=True, text=True, env=pool.environment(), timeout=120, check=False
    )
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr + done.stdout
    return done.stdout


def test_it_creates_lists_describes_and_reads_a_job(pool: RealPool, old_client: Path, tiny_image: str) -> None:
    said = _run(
        old_client, pool, "create", "--name", "from-afar", "--memory", "1", "--disk", "1", "--label", "kind=old",
        tiny_image, "echo hello from afar",
    )  # fmt: skip
    job = int(re.search(r"\d+", said).group())  # type: ignore[union-attr]

    assert pool.finish(job)["status"] == "completed"
    listed = _run(old_client, pool, "list", "--completed")
    assert re.search(rf"^\s*{job}\s+from-afar\s.*completed", listed, re.MULTILINE), listed

    described = _run(old_client, pool, "describe", str(job))
    for expected in ("from-afar", "completed", tiny_image, "kind", "exitCode"):
        assert expected in described

    assert _run(old_client, pool, "stdout", str(job)) == "hello from afar\n\n"
    assert _run(old_client, pool, "stderr", str(job)).strip() == ""


def test_it_clones_a_job_and_takes_one_out_of_the_queue(pool: RealPool, old_client: Path, tiny_image: str) -> None:
    said = _run(old_client, pool, "create", "--leave-in-queue", "--name", "stays", "--disk", "1", tiny_image, "true")
    job = int(re.search(r"\d+", said).group())  # type: ignore[union-attr]
    pool.finish(job)
    row = next(line for line in _run(old_client, pool, "list").splitlines() if line.split()[0] == str(job))
    assert re.search(r"\sstays\s.*completed", row)
    assert tiny_image in row
    assert row.rstrip().endswith("true")
    clone = int(re.search(r"\d+", _run(old_client, pool, "clone", str(job))).group())  # type: ignore[union-attr]
    assert pool.describe(clone)["name"] == "stays"
    _run(old_client, pool, "remove", str(job))
    assert pool.finish(clone)["status"] == "completed"
    assert pool.describe(job)["status"] == "completed"


def test_it_follows_output_in_any_language_and_prints_nothing_twice(
    pool: RealPool, old_client: Path, tiny_image: str
) -> None:
    lines = "".join(f"zähle ☃ {number}\n" for number in range(8))
    job = pool.submit(
        {"image": tiny_image, "cmd": "sh -c 'for i in 0 1 2 3 4 5 6 7; do echo zähle ☃ $i; sleep 1; done'"}
    )
    printed = _run(old_client, pool, "stdout", "--tail", str(job)).strip("\n")
    assert lines.startswith(printed)  # it makes no last read when the job has ended
    assert pool.finish(job)["status"] == "completed"
    assert _run(old_client, pool, "stdout", str(job)).strip("\n") == lines.strip("\n")


def test_it_deletes_a_job(pool: RealPool, old_client: Path, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "true"}, resources={"cpus": 512, "memory": 1, "disk": 1})
    _run(old_client, pool, "delete", str(job))
    assert pool.finish(job)["status"] == "deleted"


def test_it_keeps_keys_and_values(pool: RealPool, old_client: Path, tmp_path: Path) -> None:
    (tmp_path / "value").write_text("from a file: ü\n")
    for key, value in (("old/a", "1"), ("old/b", str(tmp_path / "value")), ("older", "2")):
        _run(old_client, pool, "kv", "set", key, value)
    assert _run(old_client, pool, "kv", "get", "old/a") == "1\n"
    assert _run(old_client, pool, "kv", "get", "old/b") == "from a file: ü\n\n"
    assert {"/old/a", "/old/b", "/older"} <= set(_run(old_client, pool, "kv", "list").split())
    assert _run(old_client, pool, "kv", "list", "/old/").split() == ["/old/a", "/old/b"]
    _run(old_client, pool, "kv", "delete", "/old/a")
    assert _run(old_client, pool, "kv", "list", "old").split() == ["/old/b", "/older"]
    _run(old_client, pool, "kv", "delete", "--prefix", "old")
    assert _run(old_client, pool, "kv", "list", "old").split() == []


def test_it_says_in_a_sentence_that_a_key_is_not_there_or_no_key(pool: RealPool, old_client: Path) -> None:
    for words in (("get", "nothing"), ("get", "a//b"), ("set", "empty", "")):
        done = subprocess.run(
            [old_client, "kv", *words], capture_output=True, text=True, env=pool.environment(), timeout=120, check=False
        )
        assert (done.returncode, done.stdout[:6], done.stderr) == (1, "Error:", ""), words
        assert "PROMINENCE URL" not in done.stdout
