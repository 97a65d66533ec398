"""The commands for objects, against a pretend API and a pretend store."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from builders_cli import FakeApi, Turn, a_described_job, answer, refused, refusing, run_command

from prominence.core.error_reasons import ErrorReason

STORE = "http://store.test/put?signature=1"
OUTPUT = {"name": "run/out.txt", "url": "http://store.test/out", "size": 5}


def answering(status: int, body: Any, **headers: str) -> Callable[[requests.PreparedRequest], requests.Response]:
    return lambda request: answer(request, status, body, headers)


def an_api(*instead: Callable[[requests.PreparedRequest], requests.Response]) -> FakeApi:
    return FakeApi(instead=deque(instead))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "data.bin"
    made.write_bytes(b"content")
    return made


def body_of(request: requests.PreparedRequest) -> dict[str, Any]:
    assert isinstance(request.body, bytes)
    told = json.loads(request.body)
    assert isinstance(told, dict)
    return told


class TestUpload:
    def test_what_is_no_regular_file_is_refused_before_anybody_is_asked(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        api = an_api()
        done = run_command(api, "upload", str(pipe))
        assert (done.exit_code, api.asked) == (125, [])
        assert "is not a regular file" in done.stderr

    @pytest.mark.parametrize(
        ("words", "name"),
        [(["{file}"], "data.bin"), (["--filename", "{file}", "--name", "physics/a"], "physics/a")],
    )
    def test_a_file_is_announced_and_sent(self, file: Path, words: list[str], name: str) -> None:
        api = an_api(refusing(201, {"url": STORE}), refusing(201, b""))
        result = run_command(api, "upload", *(word.format(file=file) for word in words))
        assert (result.exit_code, result.stdout) == (0, f"Uploaded {name}\n")
        asked, sent = api.asked
        assert body_of(asked) == {"filename": name, "size": 7, "checksum": hashlib.sha256(b"content").hexdigest()}
        assert (sent.method, sent.url) == ("PUT", STORE)
        assert "Authorization" in asked.headers
        assert "Authorization" not in sent.headers
        assert sent.headers["Content-Length"] == "7"

    def test_a_form_is_filled_in(self, file: Path) -> None:
        api = an_api(refusing(201, {"url": STORE, "fields": {"key": "a", "policy": "b"}}), refusing(204, b""))
        assert run_command(api, "upload", str(file)).exit_code == 0
        assert api.asked[1].method == "POST"
        assert str(api.asked[1].headers["Content-Type"]).startswith("multipart/form-data; boundary=")

    @pytest.mark.parametrize("words", [[], ["{file}", "--filename", "{file}"], ["/no/such/file"]])
    def test_one_file_is_needed(self, file: Path, words: list[str]) -> None:
        api = an_api()
        result = run_command(api, "upload", *(word.format(file=file) for word in words))
        assert (result.exit_code, api.asked) == (125, [])

    def test_a_refusal_is_told(self, file: Path) -> None:
        result = run_command(
            an_api(refused(507, "Your quota is used up.", ErrorReason.QUOTA_REACHED)), "upload", str(file)
        )
        assert result.exit_code == 125
        assert "quota" in result.stderr
        api = an_api(refusing(201, {"url": STORE}), refused(413, "It is too large."))
        result = run_command(api, "upload", str(file))
        assert result.exit_code == 125
        assert "It is too large." in result.stderr
        api = an_api(refusing(201, {"url": STORE}), refused(507, "The disk is full.", ErrorReason.NO_ROOM))
        result = run_command(api, "upload", str(file))
        assert (result.exit_code, result.stderr.endswith("The disk is full. (NoRoom)\n")) == (127, True)


class TestDownload:
    @pytest.fixture(autouse=True)
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("builders_cli.NOWHERE", tmp_path / "here")

    def job(self, **changes: Any) -> Callable[[requests.PreparedRequest], requests.Response]:
        return answering(200, [a_described_job(status="completed", **changes)])

    def test_what_was_kept_comes_under_its_name(self, tmp_path: Path) -> None:
        directory = {"name": "results", "url": "http://store.test/results"}
        api = an_api(
            self.job(outputFiles=[OUTPUT], outputDirs=[directory]), answering(200, b"hello"), answering(200, b"tgz")
        )
        result = run_command(api, "download", "--concurrency", "1", "12")
        assert (result.exit_code, result.stdout) == (0, "Downloaded run/out.txt\nDownloaded results.tgz\n")
        assert (tmp_path / "here/run/out.txt").read_bytes() == b"hello"
        assert (tmp_path / "here/results.tgz").read_bytes() == b"tgz"
        assert all("Authorization" not in request.headers for request in api.asked[1:])

    def test_a_directory_may_be_named_by_the_job(self, tmp_path: Path) -> None:
        api = an_api(self.job(outputFiles=[OUTPUT]), answering(200, b"hello"))
        assert run_command(api, "download", "--dir", "job", "12").exit_code == 0
        assert (tmp_path / "here/12/run/out.txt").exists()

    def test_what_is_there_is_left_alone_without_force(self, tmp_path: Path) -> None:
        there = tmp_path / "here/run/out.txt"
        there.parent.mkdir(parents=True)
        there.write_text("mine")
        result = run_command(an_api(self.job(outputFiles=[OUTPUT])), "download", "12")
        assert (result.exit_code, there.read_text()) == (125, "mine")
        assert "--force" in result.stderr
        api = an_api(self.job(outputFiles=[OUTPUT]), answering(200, b"hello"))
        assert run_command(api, "download", "--force", "12").exit_code == 0
        assert there.read_text() == "hello"

    @pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "\0", "\ud800"])
    def test_no_name_leads_out_of_the_directory(self, tmp_path: Path, name: str) -> None:
        result = run_command(an_api(self.job(outputFiles=[{**OUTPUT, "name": name}])), "download", "12")
        assert result.exit_code == 125
        assert list(tmp_path.iterdir()) == []

    def test_an_error_of_the_store_is_no_content(self, tmp_path: Path) -> None:
        api = an_api(self.job(outputFiles=[OUTPUT]), answering(403, b"<Error>expired</Error>"))
        result = run_command(api, "download", "12")
        assert result.exit_code == 125
        assert "403" in result.stderr
        assert not (tmp_path / "here/run/out.txt").exists()

    def test_a_job_that_has_kept_nothing_or_goes_on_is_told_so(self) -> None:
        for job in (
            a_described_job(status="completed"),
            a_described_job(),
            a_described_job(status="failed", outputFiles=[{"name": "a", "url": ""}]),
        ):
            result = run_command(FakeApi([Turn(job)]), "download", "12")
            assert result.exit_code == 125
            assert "Job 12 has" in result.stderr


class TestListing:
    FOUND = [{"name": "a", "size": 7, "lastModified": "Mon, 01 Jun 2026 12:00:00 GMT"}, {"name": "b\x1b[2J", "size": 1}]

    def test_names_are_listed_a_line_each(self) -> None:
        api = an_api(refusing(200, self.FOUND))
        assert run_command(api, "ls").stdout == "a\nb\\x1b[2J\n"
        assert api.paths == ["GET /data"]

    def test_sizes_and_times_are_told_on_request(self) -> None:
        api = an_api(refusing(200, self.FOUND))
        lines = run_command(api, "ls", "-l", "physics/a b").stdout.splitlines()
        assert lines[1].split() == ["7", "Mon,", "01", "Jun", "2026", "12:00:00", "GMT", "a"]
        assert api.paths == ["GET /data/physics/a%20b"]

    def test_the_answer_can_be_had_as_it_is(self) -> None:
        assert json.loads(run_command(an_api(refusing(200, self.FOUND)), "ls", "-o", "json").stdout) == self.FOUND


def test_an_object_is_deleted_by_its_name() -> None:
    api = an_api(refusing(204, b""))
    assert run_command(api, "rm", "physics/a b?.txt").exit_code == 0
    assert api.paths == ["DELETE /data/physics/a%20b%3F.txt"]


@pytest.mark.parametrize("name", ["..", "physics/../a", "./a"])
def test_no_other_object_is_deleted_than_the_one_that_was_named(name: str) -> None:
    api = an_api()
    assert (run_command(api, "rm", name).exit_code, api.asked) == (125, [])


def test_quota_tells_what_is_used_of_how_much() -> None:
    told = {
        "user": {"uploads": 1, "outputs": 2, "used": 3, "quota": 10},
        "groups": {"physics": {"uploads": 4, "outputs": 0, "used": 4, "quota": 20}},
    }
    lines = run_command(an_api(refusing(200, told)), "quota").stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [["yours", "1", "2", "3", "10"], ["physics", "4", "0", "4", "20"]]
    assert json.loads(run_command(an_api(refusing(200, told)), "quota", "-o", "json").stdout) == told
