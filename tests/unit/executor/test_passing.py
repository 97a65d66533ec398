"""What other jobs pass lands where it belongs, and nowhere else, whatever the API tells."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from builders_executor import PretendedWeb, a_plan

from prominence.core.plan import PlannedPassed
from prominence.core.reasons import Reason
from prominence.core.report import TransferReport
from prominence.core.substitution import with_values
from prominence.executor.adapters.http import HttpObjects
from prominence.executor.failures import Failure
from prominence.executor.ports import Stop
from prominence.executor.stage_in import stage_in
from prominence.executor.transfer import Address, TransferFailed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def a_tgz(*names: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"hello"))
    return made.getvalue()


def a_web(**given: bytes) -> PretendedWeb:
    """Each by number_instance, of one file that is called o."""
    web = PretendedWeb()
    for key, content in given.items():
        number, instance = map(int, key[1:].split("_"))
        give(web, number, instance, "o", content)
    return web


def give(web: PretendedWeb, number: int, instance: int, name: str, content: bytes, is_directory: bool = False) -> None:
    web.given.setdefault((number, instance), []).append((name, is_directory))
    web.contents[f"passed:{number}.{instance}/{name}"] = content


def bring(
    home: Path, web: PretendedWeb, *passed: PlannedPassed, **changes: Any
) -> tuple[Failure | None, tuple[TransferReport, ...]]:
    told: list[tuple[TransferReport, ...]] = [()]
    return stage_in(a_plan(passed=passed, **changes), home, web, web, Stop(), told.append), told[-1]


def files(home: Path) -> dict[str, bytes]:
    return {str(one.relative_to(home)): one.read_bytes() for one in home.rglob("*") if one.is_file()}


def test_an_output_is_at_the_path_that_it_had_and_a_directory_is_one_again(home: Path) -> None:
    web = PretendedWeb()
    give(web, 0, 0, "deep/o.txt", b"one")
    give(web, 0, 0, "deep/dir.tgz", a_tgz("deep/dir/x"), is_directory=True)
    give(web, 0, 0, "kept.tgz", b"as it is")
    failure, told = bring(home, web, PlannedPassed("a", executable=True))
    assert failure is None
    assert files(home) == {"deep/o.txt": b"one", "deep/dir/x": b"hello", "kept.tgz": b"as it is"}
    assert os.access(home / "deep/o.txt", os.X_OK)
    assert [(one.name, one.status, one.size) for one in told] == [("all outputs of a", "success", 3 + 5 + 8)]


def test_each_instance_has_a_directory_and_others_go_where_they_are_told_to(home: Path) -> None:
    web = a_web(_0_0=b"0", _0_1=b"1", _1_0=b"one")
    failure, _ = bring(
        home,
        web,
        PlannedPassed("fit", "o", instances=3, numbered=True, directory="in/fit"),
        PlannedPassed("b", "o", directory="b"),
    )
    assert failure is None
    assert files(home) == {"in/fit/0/o": b"0", "in/fit/1/o": b"1", "b/o": b"one"}


def test_parameters_are_put_in(home: Path) -> None:
    passed = PlannedPassed("a", "out-$x", directory="in-$x")
    assert with_values(a_plan(passed=(passed,)), {"x": "3"}).passed == (PlannedPassed("a", "out-3", directory="in-3"),)


def test_nothing_at_all_is_told_as_an_artifact_that_was_not_found(home: Path) -> None:
    failure, told = bring(home, PretendedWeb(), PlannedPassed("a", "o*"))
    assert failure is not None
    assert failure.reason is Reason.ARTIFACT_NOT_FOUND
    assert failure.details == {"name": "o* of a", "detail": "job a has kept nothing of the kind"}
    assert [(one.name, one.status) for one in told] == [("o* of a", "failedDownload")]


def test_nothing_at_all_is_well_where_it_may_be_missing(home: Path) -> None:
    failure, told = bring(home, PretendedWeb(), PlannedPassed("a", "o*", may_be_missing=True))
    assert failure is None
    assert [(one.name, one.status, one.size) for one in told] == [("o* of a", "success", None)]


def test_all_that_is_passed_together_has_the_jobs_disk(home: Path) -> None:
    web = a_web(_0_0=b"x" * 1000, _1_0=b"x" * 1000)
    assert bring(home, web, PlannedPassed("a"), PlannedPassed("b", directory="b"), disk_mib=1)[0] is None
    assert web.rooms == [1024 * 1024, 1024 * 1024 - 1000]


@pytest.mark.parametrize("name", ["../o", "a/../../o", "/etc/o", "a//o", "./o", ""])
def test_a_name_that_leads_out_of_the_home_is_refused(home: Path, name: str) -> None:
    web = PretendedWeb()
    give(web, 0, 0, name, b"x")
    failure, _ = bring(home, web, PlannedPassed("a"))
    assert failure is not None
    assert failure.reason is Reason.ARTIFACT_NOT_FOUND
    assert list(home.parent.rglob("*")) == [home]


def test_a_link_that_came_before_is_not_followed(home: Path, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (home / "in").symlink_to(tmp_path / "else")
    web = a_web(_0_0=b"x")
    failure, _ = bring(home, web, PlannedPassed("a", directory="in"))
    assert failure is not None
    assert "has no place in the job's home" in str(failure.details)
    (home / "o").symlink_to(tmp_path / "else" / "o")
    assert bring(home, web, PlannedPassed("a"))[0] is None
    assert not (home / "o").is_symlink()
    assert list((tmp_path / "else").iterdir()) == []


def test_an_archive_that_leads_out_is_not_unpacked(home: Path) -> None:
    web = PretendedWeb()
    give(web, 0, 0, "d.tgz", a_tgz("../x"), is_directory=True)
    failure, _ = bring(home, web, PlannedPassed("a", directory="in"))
    assert failure is not None
    assert failure.reason is Reason.ARTIFACT_UNPACK_FAILED
    assert not (home / "x").exists()


class Answers:
    """The API, as `HttpObjects` asks it."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def look(self, url: str, token: str, wanted: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((url, token, wanted))
        return self.answers.pop(0)

    ask = look


def told(names: list[str], more: bool) -> dict[str, Any]:
    return {"names": names, "directories": [name.endswith("/") for name in names], "more": more}


def test_the_api_is_asked_until_it_has_told_all_names() -> None:
    api = Answers(told(["a", "b/"], True), told(["c"], False), {"url": "http://store/c", "size": 3})
    objects = HttpObjects(api, "http://api/", "token")  # type: ignore[arg-type]
    assert objects.passed(2, 5) == [("a", False), ("b/", True), ("c", False)]
    assert objects.to_get_passed(2, 5, "c") == Address("http://store/c", size=3)
    first = {"number": 2, "instance": 5}
    assert api.asked == [
        ("http://api/data/passed", "token", {**first, "after": ""}),
        ("http://api/data/passed", "token", {**first, "after": "b/"}),
        ("http://api/data/passed/input", "token", {**first, "name": "c"}),
    ]


def test_an_answer_that_tells_no_names_is_asked_for_again_and_none_that_has_more_for_ever() -> None:
    for answer in ({}, {"names": None, "directories": [], "more": True}):
        with pytest.raises(TransferFailed, match="the API does not tell names"):
            HttpObjects(Answers(answer), "http://api", "token").passed(0, 0)  # type: ignore[arg-type]
    assert HttpObjects(Answers(told([], True)), "http://api", "token").passed(0, 0) == []  # type: ignore[arg-type]
