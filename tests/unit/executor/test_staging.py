"""Files on their way in and out: what is tried again, what is told, and who is to blame."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from builders_executor import Clock, PretendedWeb, StopAfter, a_plan

from prominence.core.plan import PATIENCE_S, PlannedArtifact, PlannedInput, PlannedMount
from prominence.core.reasons import MEANINGS, Blame, Reason
from prominence.core.report import TransferReport
from prominence.executor.failures import STOPPED, Failure
from prominence.executor.ports import Interrupted, Stop
from prominence.executor.sandbox import make_workspace
from prominence.executor.stage_in import prepare_mounts, stage_in
from prominence.executor.stage_out import stage_out
from prominence.executor.transfer import AddressRefused, QuotaReached, Refused, TransferFailed, patiently


@pytest.fixture
def web() -> PretendedWeb:
    return PretendedWeb()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def artifact(source: str, **changes: Any) -> PlannedArtifact:
    is_object = "://" not in source
    return PlannedArtifact(**{"source": source, "file": source.rpartition("/")[2], "is_object": is_object, **changes})


def fetch(home: Path, web: PretendedWeb, *artifacts: PlannedArtifact, **changes: Any) -> Told:
    told = Told()
    told.failure = stage_in(a_plan(artifacts=artifacts, **changes), home, web, web, told.stop, told.tell)
    return told


def keep(home: Path, web: PretendedWeb, files: tuple[str, ...] = (), dirs: tuple[str, ...] = ()) -> Told:
    told, plan = Told(), a_plan(output_files=files, output_dirs=dirs)
    scratch = home.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    told.failure = stage_out(plan, home, scratch, web, web, told.stop, told.tell)
    assert list(scratch.iterdir()) == []
    return told


@dataclass
class Told:
    failure: Failure | None = None
    reports: tuple[TransferReport, ...] = ()
    stop: Stop = field(default_factory=Stop)

    def tell(self, reports: tuple[TransferReport, ...]) -> None:
        self.reports = reports

    def words(self) -> list[tuple[str, str]]:
        return [(report.name, report.status) for report in self.reports]

    def reason(self) -> Reason:
        assert self.failure is not None
        return self.failure.reason


def a_tgz(*names: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"hello"))
    return made.getvalue()


class TestIn:
    def test_inputs_are_put_into_the_home(self, home: Path, web: PretendedWeb) -> None:
        run = PlannedInput("run.sh", base64.b64encode(b"#!/bin/sh\n").decode(), executable=True)
        fetch(home, web, inputs=(run, PlannedInput("data", "")))
        assert (home / "run.sh").read_bytes() == b"#!/bin/sh\n"
        assert os.access(home / "run.sh", os.X_OK)
        assert (home / "data").read_bytes() == b""
        assert not os.access(home / "data", os.X_OK)

    def test_artifacts_are_fetched_by_name_and_by_address(self, home: Path, web: PretendedWeb) -> None:
        web.contents = {"store:physics/a.bin": b"one", "https://example.org/b": b"two"}
        told = fetch(home, web, artifact("physics/a.bin", executable=True), artifact("https://example.org/b"))
        assert told.failure is None
        assert ((home / "a.bin").read_bytes(), (home / "b").read_bytes()) == (b"one", b"two")
        assert os.access(home / "a.bin", os.X_OK)
        assert told.words() == [("physics/a.bin", "success"), ("https://example.org/b", "success")]
        assert [report.size for report in told.reports] == [3, 3]

    def test_an_archive_is_unpacked_and_goes(self, home: Path, web: PretendedWeb) -> None:
        web.contents = {"store:a.tgz": a_tgz("deep/x", "y")}
        assert fetch(home, web, artifact("a.tgz")).failure is None
        assert sorted(path.name for path in home.iterdir()) == ["deep", "y"]

    def test_what_is_not_there_is_the_users_mistake_and_ends_the_job(self, home: Path, web: PretendedWeb) -> None:
        web.contents = {"https://example.org/b": b""}
        told = fetch(home, web, artifact("https://example.org/a"), artifact("https://example.org/b"))
        assert told.reason() is Reason.ARTIFACT_NOT_FOUND
        assert MEANINGS[told.reason()].blame is Blame.USER
        assert told.words() == [("https://example.org/a", "failedDownload")]
        assert "https://example.org/b" not in web.asked

    def test_an_archive_that_is_none_is_told_as_such(self, home: Path, web: PretendedWeb) -> None:
        web.contents = {"store:a.tgz": b"no archive"}
        told = fetch(home, web, artifact("a.tgz"))
        assert told.reason() is Reason.ARTIFACT_UNPACK_FAILED
        assert told.words() == [("a.tgz", "failedUncompress")]

    def test_all_artifacts_together_have_the_jobs_disk(self, home: Path, web: PretendedWeb) -> None:
        web.contents = {"store:a.tgz": a_tgz(*map(str, range(9)))}
        assert fetch(home, web, artifact("a.tgz"), disk_mib=1).failure is None
        told = fetch(home, web, artifact("a.tgz"), disk_mib=0)
        assert told.reason() is Reason.ARTIFACT_UNPACK_FAILED


class TestMounts:
    def test_a_directory_is_moved_to_where_it_is_mounted_from(self, home: Path, tmp_path: Path) -> None:
        (home / "data" / "deep").mkdir(parents=True)
        (home / "data" / "deep" / "a").write_text("a")
        workspace = make_workspace(tmp_path, mounts=1)
        assert prepare_mounts(a_plan(mounts=(PlannedMount("data", "/data"),)), workspace) is None
        assert (workspace.mounts[0] / "deep" / "a").read_text() == "a"
        assert os.readlink(home / "data") == "/data"

    @pytest.mark.parametrize("there", ["nothing", "file", "link"])
    def test_what_did_not_come_is_not_mounted(self, home: Path, tmp_path: Path, there: str) -> None:
        if there == "file":
            (home / "data").write_text("x")
        elif there == "link":
            (home / "data").symlink_to("/")
        failure = prepare_mounts(a_plan(mounts=(PlannedMount("data", "/data"),)), make_workspace(tmp_path, mounts=1))
        assert failure is not None
        assert failure.reason is Reason.ARTIFACT_UNPACK_FAILED

    def test_what_may_be_missing_is_mounted_empty(self, home: Path, tmp_path: Path) -> None:
        mounts = (PlannedMount("data", "/data", may_be_missing=True), PlannedMount("x", "/x", may_be_missing=True))
        (home / "x").symlink_to("/")
        failure = prepare_mounts(a_plan(mounts=mounts), workspace := make_workspace(tmp_path, mounts=2))
        assert os.readlink(home / "data") == "/data"
        assert list(workspace.mounts[0].iterdir()) == []
        assert failure is not None
        assert failure.details["name"] == "x"


class TestOut:
    def test_all_files_of_a_pattern_are_kept_each_once_under_its_own_name(self, home: Path, web: PretendedWeb) -> None:
        for name in ("out2.txt", "out1.txt"):
            (home / name).write_text(name)
        told = keep(home, web, files=("out*.txt", "out2.*"))
        assert web.contents == {"store:out1.txt": b"out1.txt", "store:out2.txt": b"out2.txt"}
        assert told.words() == [("out1.txt", "success"), ("out2.txt", "success")]
        assert told.reports[0].size == 8
        assert told.reports[0].sha256 == hashlib.sha256(b"out1.txt").hexdigest()

    @pytest.mark.parametrize("tells", [True, False])
    def test_the_checksum_is_announced_where_the_store_does_not_tell_what_has_arrived(
        self, home: Path, web: PretendedWeb, tells: bool
    ) -> None:
        contents = {"a": b"1", "b": b""}
        for name, content in contents.items():
            (home / name).write_bytes(content)
        web.tells = tells
        sums = [hashlib.sha256(content).hexdigest() for content in contents.values()]
        assert [report.sha256 for report in keep(home, web, files=("a", "b")).reports] == sums
        assert web.announced == ([None, None] if tells else [None, *sums])

    def test_of_a_pattern_that_nothing_matches_the_pattern_is_told(self, home: Path, web: PretendedWeb) -> None:
        told = keep(home, web, files=("*.csv",))
        assert (told.reason(), told.words()) == (Reason.OUTPUT_NOT_FOUND, [("*.csv", "failedNoSuchFile")])

    def test_a_directory_is_kept_as_an_archive(self, home: Path, web: PretendedWeb) -> None:
        (home / "run" / "results").mkdir(parents=True)
        (home / "run" / "results" / "a").write_text("a")
        assert keep(home, web, dirs=("run/results",)).failure is None
        with tarfile.open(fileobj=io.BytesIO(web.contents["store:run/results.tgz"])) as archive:
            assert archive.getnames() == ["run/results", "run/results/a"]

    def test_a_stop_ends_the_packing_of_a_directory(self, home: Path, web: PretendedWeb) -> None:
        (home / "results").mkdir()
        (home / "results" / "large").touch()
        os.truncate(home / "results" / "large", 10**12)
        plan, told = a_plan(output_dirs=("results",)), Told()
        assert stage_out(plan, home, home.parent, web, web, StopAfter(5), told.tell) is STOPPED
        assert (web.contents, told.reports) == ({}, ())

    def test_what_is_missing_is_told_and_the_rest_is_kept(self, home: Path, web: PretendedWeb) -> None:
        (home / "there").write_text("x")
        (home / "file").write_text("x")
        told = keep(home, web, files=("lost", "there"), dirs=("gone", "file"))
        assert told.reason() is Reason.OUTPUT_NOT_FOUND
        assert told.failure is not None
        assert told.failure.details == {"name": "lost", "detail": "there is no such file"}
        assert told.words() == [
            ("lost", "failedNoSuchFile"),
            ("there", "success"),
            ("gone", "failedNoSuchFile"),
            ("file", "failedTarCreation"),
        ]
        assert set(web.contents) == {"store:there"}

    def test_a_file_whose_name_is_no_text_is_told_and_the_rest_is_kept(self, home: Path, web: PretendedWeb) -> None:
        for name in (b"a", b"caf\xe9", b"z"):
            (home / os.fsdecode(name)).write_text("x")
        told = keep(home, web, files=("*",))
        assert (told.reason(), set(web.contents)) == (Reason.OUTPUT_NOT_FOUND, {"store:a", "store:z"})
        assert told.words() == [("a", "success"), ("caf\udce9", "failedUpload"), ("z", "success")]

    @pytest.mark.parametrize(
        ("error", "reason", "blame"),
        [
            (QuotaReached("the quota is used up"), Reason.OUTPUT_NOT_KEPT, Blame.USER),
            (Refused("it is not an output"), Reason.OUTPUT_UPLOAD_FAILED, Blame.PLATFORM),
        ],
    )
    def test_what_the_store_refuses_is_told(
        self, home: Path, web: PretendedWeb, error: Exception, reason: Reason, blame: Blame
    ) -> None:
        (home / "out").write_text("x")
        web.failing = {"store:out": error}
        told = keep(home, web, files=("out",))
        assert (told.reason(), MEANINGS[told.reason()].blame) == (reason, blame)
        assert told.words() == [("out", "failedUpload")]

    def test_nothing_outside_of_the_home_is_kept(self, home: Path, web: PretendedWeb) -> None:
        (home.parent / "job.token").write_text("secret")
        (home / "out").symlink_to("../job.token")
        (home / "dir").symlink_to("..")
        told = keep(home, web, files=("out",), dirs=("dir",))
        assert web.contents == {}
        assert told.reason() is Reason.OUTPUT_NOT_FOUND


class TestPatience:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    def attempt(self, clock: Clock, act: Callable[[], Any], progress: Callable[[], int] = lambda: 0) -> Any:
        return patiently(act, progress, Stop(), PATIENCE_S, clock, clock.advance)

    def test_what_fails_is_tried_again(self, clock: Clock) -> None:
        failures = [TransferFailed("no"), TransferFailed("no")]

        def act() -> str:
            if failures:
                raise failures.pop()
            return "done"

        assert self.attempt(clock, act) == "done"

    def test_what_is_refused_is_not(self, clock: Clock) -> None:
        tries: list[int] = []

        def act() -> None:
            tries.append(1)
            raise Refused("never")

        with pytest.raises(Refused):
            self.attempt(clock, act)
        assert tries == [1]

    def test_an_address_that_has_expired_is_asked_for_anew_at_once_and_once(self, clock: Clock) -> None:
        began, expired = clock.now, [1]

        def act() -> str:
            if expired:
                expired.pop()
                raise AddressRefused("the server says 403 Forbidden")
            return "done"

        assert (self.attempt(clock, act), clock.now) == ("done", began)
        expired += [1, 1]
        with pytest.raises(AddressRefused):
            self.attempt(clock, act)

    def test_patience_ends_when_nothing_goes_on(self, clock: Clock) -> None:
        began = clock.now

        def act() -> None:
            raise TransferFailed("no")

        with pytest.raises(TransferFailed):
            self.attempt(clock, act)
        assert PATIENCE_S / 2 < clock.now - began <= PATIENCE_S

    def test_what_goes_on_is_waited_for_as_long_as_it_takes(self, clock: Clock) -> None:
        arrived = [0]

        def act() -> int:
            arrived[0] += 1
            if arrived[0] < 200:
                raise TransferFailed("the connection broke")
            return arrived[0]

        assert self.attempt(clock, act, lambda: arrived[0]) == 200

    def test_to_stop_is_heeded_between_attempts(self, clock: Clock) -> None:
        stop = Stop()

        def act() -> None:
            stop.request()
            raise TransferFailed("no")

        with pytest.raises(Interrupted):
            patiently(act, lambda: 0, stop, PATIENCE_S, clock, clock.advance)
