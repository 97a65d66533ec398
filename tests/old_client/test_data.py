"""The published client, unchanged: upload, ls, rm and download."""

from __future__ import annotations

import subprocess
from pathlib import Path

from real_parts import RealPool


def _run(old_client: Path, pool: RealPool, here: Path, *arguments: str) -> str:
    done = subprocess.run(
        [old_client, *arguments],
        capture_output=True,
        text=True,
        env=pool.environment(),
        cwd=here,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr + done.stdout
    return done.stdout


def test_it_uploads_lists_and_removes_an_object(pool: RealPool, old_client: Path, tmp_path: Path) -> None:
    (tmp_path / "numbers.txt").write_text("1 2 3\n" * 1000)
    _run(old_client, pool, tmp_path, "upload", "--name", "old-numbers.txt", "--filename", "numbers.txt")
    assert "old-numbers.txt" in _run(old_client, pool, tmp_path, "ls").split()
    row = next(line for line in _run(old_client, pool, tmp_path, "ls", "-l").splitlines() if "old-numbers.txt" in line)
    assert "6000" in row
    _run(old_client, pool, tmp_path, "rm", "old-numbers.txt")
    assert "old-numbers.txt" not in _run(old_client, pool, tmp_path, "ls").split()


def test_it_downloads_what_a_job_has_kept(pool: RealPool, old_client: Path, tiny_image: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    _run(old_client, pool, tmp_path, "upload", "--name", "old-words.txt", "--filename", "words.txt")
    said = _run(
        old_client, pool, tmp_path, "create", "--memory", "1", "--disk", "1", "--artifact", "old-words.txt",
        "--output", "count.txt", "--outputdir", "results",
        tiny_image, "sh -c 'wc -l old-words.txt > count.txt; mkdir results; cp old-words.txt results'",
    )  # fmt: skip
    job = next(word for word in said.split() if word.isdigit())
    assert pool.finish(int(job))["status"] == "completed"
    _run(old_client, pool, tmp_path, "download", job)
    assert (tmp_path / "count.txt").read_text() == "2 old-words.txt\n"
    assert (tmp_path / "results.tgz").stat().st_size > 0
    described = _run(old_client, pool, tmp_path, "describe", job)
    for expected in ("old-words.txt", "count.txt", "results"):
        assert expected in described
