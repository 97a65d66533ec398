"""All that the jobs of a workflow have kept, fetched by one command, against a pretend API and a pretend store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from builders_cli import FakeApi, answer, run_command
from hypothesis import given
from hypothesis import strategies as st

from prominence.cli.kept_by_workflow import JOBS_AT_ONCE, directory

STORE = "http://store.test/"


class Api(FakeApi):
    """A workflow of two instances and one job behind them, each of which has kept a file."""

    def __init__(self, nodes: list[dict[str, Any]] | None = None, name: str = "out.txt") -> None:
        super().__init__()
        self.nodes = NODES if nodes is None else nodes
        self.name = name
        self.refused: set[str] = set()

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.asked.append(request)
        url = str(request.url)
        if url.startswith(STORE):
            number = url.removeprefix(STORE)
            return answer(request, 403 if number in self.refused else 200, f"of {number}".encode())
        if "/nodes" in url:
            return answer(request, 200, self.nodes)
        ids = url.partition("id=")[2].partition("&")[0].split("%2C")
        return answer(request, 200, [self.job(number) for number in reversed(ids)])

    def job(self, number: str) -> dict[str, Any]:
        kept = {"name": self.name, "url": STORE + number, "size": len(f"of {number}")}
        return {"id": int(number), "status": "completed", "outputFiles": [kept]}

    def fetched(self) -> list[str]:
        return [str(one.url).removeprefix(STORE) for one in self.asked if str(one.url).startswith(STORE)]


NODES = [
    {"job": "fit/it", "instance": 0, "id": 20, "status": "completed"},
    {"job": "fit/it", "instance": 1, "id": 21, "status": "failed"},
    {"job": "plot", "id": 22, "status": "completed"},
]
PLACES = {"fit%2Fit/0/out.txt": "of 20", "fit%2Fit/1/out.txt": "of 21", "plot/out.txt": "of 22"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("builders_cli.NOWHERE", tmp_path / "here")
    return tmp_path / "here"


def files(here: Path) -> dict[str, str]:
    return {str(one.relative_to(here)): one.read_text() for one in here.rglob("*") if one.is_file()}


def test_each_instance_has_a_directory_in_that_of_its_job(here: Path) -> None:
    api = Api()
    done = run_command(api, "download", "workflow", "17")
    assert (done.exit_code, files(here)) == (0, PLACES)
    assert done.stdout.splitlines()[0] == "Downloaded fit/it/0/out.txt"
    assert api.paths[0] == "GET /workflows/17/nodes?limit=1000&status=completed%2Cdeleted%2Cfailed%2Ckilled"
    assert api.paths[1] == "GET /jobs?id=20%2C21%2C22&detail=true&limit=1000"
    assert run_command(Api(), "download", "--dir", "workflow", "17").exit_code == 0
    assert files(here / "17") == PLACES


def test_what_broke_off_goes_on_where_it_was(here: Path) -> None:
    api = Api()
    api.refused = {"21"}
    done = run_command(api, "download", "workflow", "17")
    assert (done.exit_code, set(files(here))) == (125, set(PLACES) - {"fit%2Fit/1/out.txt"})
    assert "fit/it/1/out.txt" in done.stderr
    again = Api()
    done = run_command(again, "download", "workflow", "17")
    assert (done.exit_code, files(here), again.fetched()) == (0, PLACES, ["21"])
    assert done.stdout.splitlines()[-1] == "2 of 3 files were there already."


def test_a_file_of_another_size_is_somebodys_own_and_replaced_by_force_alone(here: Path) -> None:
    (here / "plot").mkdir(parents=True)
    (here / "plot/out.txt").write_text("mine, and longer")
    done = run_command(Api(), "download", "workflow", "17")
    assert (done.exit_code, files(here)["plot/out.txt"]) == (125, "mine, and longer")
    assert run_command(Api(), "download", "--force", "workflow", "17").exit_code == 0
    assert files(here) == PLACES


def test_addresses_are_asked_for_some_jobs_at_a_time(here: Path) -> None:
    many = [{"job": "a", "instance": number, "id": 20 + number} for number in range(JOBS_AT_ONCE + 1)]
    api = Api(many)
    assert run_command(api, "download", "workflow", "17").exit_code == 0
    asked = [place for place, one in enumerate(api.asked) if "/jobs?" in str(one.url)]
    assert len(asked) == 2
    assert asked[1] > JOBS_AT_ONCE
    assert len(files(here)) == len(many)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_no_name_of_an_output_leads_out_of_its_directory(name: str, tmp_path: Path) -> None:
    assert run_command(Api(name=name), "download", "workflow", "17").exit_code == 125
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_nothing_that_is_said() -> None:
    for nodes in ([], [{"job": "a", "status": "waiting"}], [{"id": "x"}]):
        done = run_command(Api(nodes), "download", "workflow", "17")
        assert (done.exit_code, done.stderr) == (
            125,
            "prominence: No job of workflow 17 has kept anything so far.\n",
        )
    for words in (["workflow"], ["workflow", "17.3"], ["workflow", "17", "18"], ["workflow", "x"], []):
        assert run_command(Api(), "download", *words).exit_code == 125


_nodes = st.tuples(
    st.text() | st.sampled_from([".", "..", "a/..", "/a", "a/1", "a%2F1"]), st.none() | st.integers(0, 9)
)


@given(_nodes, _nodes)
def test_two_nodes_never_share_a_directory_and_none_is_elsewhere(
    one: tuple[str, int | None], other: tuple[str, int | None]
) -> None:
    def place(node: tuple[str, int | None]) -> Path:
        return directory({"job": node[0], **({} if node[1] is None else {"instance": node[1]})})

    for found in (place(one), place(other)):
        assert not found.is_absolute()
        assert ".." not in found.parts
    if one != other and one[0] and other[0]:
        assert place(one) != place(other)
