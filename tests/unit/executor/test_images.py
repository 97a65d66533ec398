"""Images that are files: fetched once, checked, and given to a runtime that takes them."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
from builders_executor import LOADING, Clock, PretendedRuntime, PretendedWeb, a_plan, a_planned_task
from file_server import a_tar
from saved_images import Picture, saved

from prominence.core.plan import PlannedImage, PlannedTask
from prominence.core.reasons import Reason, explain
from prominence.core.report import Outcome, TaskReport
from prominence.executor.adapters import workerimages
from prominence.executor.adapters.lentfiles import WebFile
from prominence.executor.bench import Bench
from prominence.executor.deadline import Walltime
from prominence.executor.failures import Failure
from prominence.executor.images import ImageFiles
from prominence.executor.ports import FetchFailed, FetchTimedOut, Interrupted, Stop
from prominence.executor.sandbox import Workspace
from prominence.executor.tasks import run_tasks
from prominence.executor.transfer import Address, Refused, Web

CONTENT = saved(Picture([a_tar({"bin/sh": b"#!"})]))
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OBJECT = PlannedImage("tool.tar", is_object=True)
WEB = PlannedImage("https://example.org/tool.tar")


@pytest.fixture
def web() -> PretendedWeb:
    return PretendedWeb({"store:tool.tar": CONTENT, WEB.source: CONTENT})


def files(directory: Path, web: PretendedWeb, disk_kib: int | None = None, **options: Any) -> ImageFiles:
    return ImageFiles(directory / "images", web, web, disk_kib, **options)


def run(images: ImageFiles, *tasks: PlannedTask, runtimes: tuple[PretendedRuntime, ...]) -> tuple[Failure | None, Any]:
    told: list[tuple[TaskReport, ...]] = []
    workspace = Workspace(Path("/nowhere/home"), Path("/nowhere/tmp"))
    known = {runtime.name: runtime for runtime in runtimes}
    bench = Bench(known, workspace, "17", Walltime(None), images=images, clock=Clock())
    return run_tasks(a_plan(*tasks), bench, Stop(), told.append), told[-1]


def test_tasks_with_the_same_image_share_it(tmp_path: Path, web: PretendedWeb) -> None:
    runtime = PretendedRuntime()
    task = a_planned_task(image="tool.tar", file=OBJECT)
    failure, told = run(files(tmp_path, web), task, task, a_planned_task(), runtimes=(runtime,))
    assert failure is None
    assert web.asked == ["store:tool.tar"]
    assert [container.image for container, _ in runtime.ran] == ["file 1", "file 1", "busybox:1"]
    assert [report.image_digest for report in told] == [f"sha256:{SHA256}", f"sha256:{SHA256}", None]
    assert [report.pull_s is None for report in told] == [False, True, False]


def test_each_image_is_its_own(tmp_path: Path, web: PretendedWeb) -> None:
    runtime = PretendedRuntime()
    run(files(tmp_path, web), a_planned_task(file=OBJECT), a_planned_task(file=WEB), runtimes=(runtime,))
    assert [container.image for container, _ in runtime.ran] == ["file 1", "file 2"]
    assert web.asked == ["store:tool.tar", WEB.source]


def test_what_a_runtime_has_taken_out_of_an_archive_is_not_kept_twice(tmp_path: Path, web: PretendedWeb) -> None:
    images = files(tmp_path, web, disk_kib=10**6)
    images.load(OBJECT, [PretendedRuntime()], None, Stop())
    assert list((tmp_path / "images").iterdir()) == []
    assert images.kept_kib == 0


def test_apptainers_own_stays_and_counts(tmp_path: Path) -> None:
    web = PretendedWeb({"store:tool.tar": bytes(32) + b"SIF_MAGIC\0" + bytes(100_000)})
    images = files(tmp_path, web, disk_kib=10**6)
    images.load(OBJECT, [PretendedRuntime()], None, Stop())
    assert images.kept_kib >= 97


def test_another_runtime_takes_what_the_first_does_not(tmp_path: Path, web: PretendedWeb) -> None:
    first, second = PretendedRuntime("docker", fetching={LOADING: "no"}), PretendedRuntime("apptainer")
    assert files(tmp_path, web).load(OBJECT, [first, second], None, Stop()).runtime is second


def test_what_none_takes_is_told_in_the_words_of_each(tmp_path: Path, web: PretendedWeb) -> None:
    runtimes = (PretendedRuntime("docker", fetching={LOADING: "no"}), PretendedRuntime(fetching={LOADING: "never"}))
    failure, _ = run(files(tmp_path, web), a_planned_task(image="tool.tar", file=OBJECT), runtimes=runtimes)
    assert failure is not None
    assert (failure.outcome, failure.reason) == (Outcome.SYSTEM_FAILED, Reason.IMAGE_PULL_FAILED)
    sentence = explain(failure.reason, **failure.details)
    assert sentence.startswith("The image tool.tar could not be fetched: apptainer: never; docker: no.")


def test_another_file_than_was_meant_is_not_run(tmp_path: Path, web: PretendedWeb) -> None:
    images = files(tmp_path, web)
    with pytest.raises(FetchFailed, match=f"its SHA-256 is {SHA256}, and not the 000"):
        images.load(OBJECT._replace(sha256="0" * 64), [PretendedRuntime()], None, Stop())
    images.load(OBJECT._replace(sha256=SHA256), [PretendedRuntime()], None, Stop())
    assert images.known(OBJECT) is not None
    with pytest.raises(FetchFailed, match="and not the 111"):
        images.known(OBJECT._replace(sha256="1" * 64))


def test_what_is_not_there_is_not_waited_for(tmp_path: Path, web: PretendedWeb) -> None:
    web.failing["store:tool.tar"] = Refused("The object tool.tar is no longer there")
    with pytest.raises(FetchFailed, match="is no longer there"):
        files(tmp_path, web).load(OBJECT, [PretendedRuntime()], None, Stop())
    assert web.asked == ["store:tool.tar"]


@pytest.mark.parametrize(("disk_kib", "room"), [(None, None), (1000, 600 * 1024), (300, 0)])
def test_a_file_may_have_what_the_jobs_disk_has_left(tmp_path: Path, disk_kib: int | None, room: int | None) -> None:
    web = PretendedWeb({"store:tool.tar": CONTENT})
    images = files(tmp_path, web, disk_kib, used_kib=lambda enough: 400)
    images.load(OBJECT, [PretendedRuntime()], None, Stop())
    assert web.rooms == [room]


def test_the_time_for_images_is_for_these_too(tmp_path: Path) -> None:
    clock, runtime = Clock(), PretendedRuntime()
    web = PretendedWeb({"store:tool.tar": CONTENT}, on_get=lambda: clock.advance(60))
    files(tmp_path, web, clock=clock).load(OBJECT, [runtime], 100.0, Stop())
    assert runtime.given_s == [40.0]
    (tmp_path / "other").mkdir()
    with pytest.raises(FetchTimedOut):
        files(tmp_path / "other", web, clock=clock).load(OBJECT, [runtime], 50.0, Stop())


def test_who_is_told_to_stop_fetches_no_more(tmp_path: Path, web: PretendedWeb) -> None:
    stop = Stop()
    web.on_get = stop.request
    with pytest.raises(Interrupted):
        files(tmp_path, web).load(OBJECT, [PretendedRuntime()], 100.0, stop)


class OfWorker:
    """Files that a worker keeps, by their addresses."""

    def __init__(self, **kept: Path) -> None:
        self.kept = {url.replace("_", "/"): path for url, path in kept.items()}
        self.asked: list[Address] = []

    def file(self, address: Address, web: Web, timeout_s: float | None, stop: Stop) -> tuple[Path, str] | None:
        self.asked.append(address)
        file = self.kept.get(address.url.partition(":")[0])
        return None if file is None else (file, hashlib.sha256(file.read_bytes()).hexdigest())


@pytest.fixture
def at_worker(tmp_path: Path) -> Path:
    file = tmp_path / "worker" / "file-1"
    file.parent.mkdir()
    file.write_bytes(gzip.compress(CONTENT))
    return file


def test_what_the_worker_keeps_is_not_fetched_and_stays_as_it_is(
    tmp_path: Path, web: PretendedWeb, at_worker: Path
) -> None:
    kept, runtime = OfWorker(https=at_worker), PretendedRuntime()
    loaded = files(tmp_path, web, kept=kept).load(WEB, [runtime], None, Stop())
    assert loaded.sha256 == hashlib.sha256(at_worker.read_bytes()).hexdigest()
    assert web.asked == []
    assert list((tmp_path / "images").iterdir()) == []  # what was unpacked is gone again
    assert [path.name for path in at_worker.parent.iterdir()] == ["file-1"]


def test_the_worker_is_told_the_checksum_that_is_wanted(tmp_path: Path, web: PretendedWeb) -> None:
    kept = OfWorker()
    images = files(tmp_path, web, kept=kept)
    images.load(WEB._replace(sha256=SHA256), [PretendedRuntime()], None, Stop())
    images.load(OBJECT, [PretendedRuntime()], None, Stop())
    assert kept.asked == [Address(WEB.source, sha256=SHA256), Address("store:tool.tar")]
    assert web.asked == [WEB.source, "store:tool.tar"]


class PretendedFiles:
    """What a worker's broker answers, one after the other; when it was asked, for which stale tag."""

    def __init__(self, *answers: WebFile | None) -> None:
        self.answers, self.stale = list(answers), list[str]()

    def web(self, url: str, sha256: str, stale: str, timeout_s: float | None, stop: Stop) -> WebFile | None:
        self.stale.append(stale)
        return self.answers.pop(0)


class TestOfWorker:
    ADDRESS = Address(WEB.source)

    def ask(
        self, monkeypatch: pytest.MonkeyPatch, web: PretendedWeb, address: Address, *answers: WebFile | None
    ) -> Any:
        self.lent = PretendedFiles(*answers)
        monkeypatch.setattr(workerimages, "LentFiles", lambda broker: self.lent)
        return workerimages.WorkerImages("socket").file(address, web, None, Stop())

    def test_what_the_server_says_has_not_changed_is_taken(
        self, monkeypatch: pytest.MonkeyPatch, web: PretendedWeb
    ) -> None:
        one = WebFile(Path("/kept/1"), SHA256, f'"{SHA256}"', False)
        assert self.ask(monkeypatch, web, self.ADDRESS, one) == (Path("/kept/1"), SHA256)
        assert web.asked == [WEB.source]

    def test_an_old_one_never(self, monkeypatch: pytest.MonkeyPatch, web: PretendedWeb) -> None:
        old, new = WebFile(Path("/kept/0"), "0" * 64, '"0"', False), WebFile(Path("/kept/1"), SHA256, '"1"', True)
        assert self.ask(monkeypatch, web, self.ADDRESS, old, new) == (Path("/kept/1"), SHA256)
        assert self.lent.stale == ["", '"0"']
        assert self.ask(monkeypatch, web, self.ADDRESS, old, old, old) is None

    def test_who_may_not_have_it_is_not_given_it(self, monkeypatch: pytest.MonkeyPatch, web: PretendedWeb) -> None:
        web.failing[WEB.source] = Refused("the server says 403 Forbidden")
        one = WebFile(Path("/kept/1"), SHA256, f'"{SHA256}"', False)
        assert self.ask(monkeypatch, web, self.ADDRESS, one) is None

    def test_a_checksum_needs_no_server(self, monkeypatch: pytest.MonkeyPatch, web: PretendedWeb) -> None:
        one = WebFile(Path("/kept/1"), SHA256, "", False)
        assert self.ask(monkeypatch, web, Address("store:x", sha256=SHA256), one) == (Path("/kept/1"), SHA256)
        assert web.asked == []
