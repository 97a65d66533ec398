"""What a user's own worker is told, where HTCondor is found, and how its token is renewed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import jwt
import pytest
from builders_cli import NOON, TOKEN, URL, FakeApi, refused, run_command
from hypothesis import given
from hypothesis import strategies as st

from prominence.cli.errors import ClientError, Unreachable
from prominence.cli.worker import daemons, start, text
from prominence.cli.worker.daemons import Daemons
from prominence.cli.worker.home import Home
from prominence.cli.worker.offer import Offer
from prominence.core import lifetimes
from prominence.core.errors import Rejected

NAME = "laptop.alice-0a"
WHERE = {"PROMINENCE_URL": URL, "PROMINENCE_TOKEN": TOKEN}


def a_token(**changes: Any) -> str:
    claims = {"sub": "alice-0a@users", "iss": "here", "exp": NOON + 1000, **changes}
    return jwt.encode(claims, "k" * 32, algorithm="HS256")


def an_htcondor(folder: Path, libexec: str = "libexec/condor") -> Path:
    for path in ("sbin/condor_master", "sbin/condor_startd", "sbin/condor_starter", "bin/condor_ping"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch(0o755)
    (folder / libexec).mkdir(parents=True, exist_ok=True)
    (folder / libexec / "condor_shared_port").touch(0o755)
    return folder


class TestAdmission:
    def test_the_service_says_all(self) -> None:
        made = {"token": a_token(), "collector": "condor.example.org", "trustDomain": "there"}
        found = start.admission(made)
        assert (found.owner, found.collector, found.trust_domain) == ("alice-0a", "condor.example.org", "there")

    def test_a_token_alone_says_all_but_where(self) -> None:
        with pytest.raises(ClientError, match="--collector"):
            start.admission({"token": a_token() + "\n"})
        found = start.admission({"token": a_token()}, "condor.example.org:9618")
        assert (found.owner, found.trust_domain, found.expires) == ("alice-0a", "here", NOON + 1000)

    @pytest.mark.parametrize("changes", [{"sub": "w-1@workers"}, {"sub": "a.b@users"}, {"sub": "../a@users"}])
    def test_another_token_is_none(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ClientError, match="prominence token worker"):
            start.admission({"token": a_token(**changes)}, "ap")

    @given(st.text() | st.text(alphabet="ab.=_-{}").map(lambda middle: f"a.{middle}.c"))
    def test_neither_is_any_text(self, token: str) -> None:
        with pytest.raises(ClientError):
            start.admission({"token": token}, "ap")


class TestDaemons:
    def test_a_package_of_the_systems_is_found_by_path(self, tmp_path: Path) -> None:
        there = an_htcondor(tmp_path / "usr")
        found = daemons.find(None, {"PATH": str(there / "sbin")})
        assert (found.release, found.libexec) == (there, there / "libexec/condor")

    @pytest.mark.parametrize("given_", [".", "condor-24.0"])
    def test_a_tarball_is_named_by_its_directory_or_the_one_around_it(self, tmp_path: Path, given_: str) -> None:
        there = an_htcondor(tmp_path / "condor-24.0", "libexec")
        assert daemons.find(tmp_path / given_, {}) == Daemons(there, there / "libexec", there / "lib")

    @pytest.mark.parametrize("missing", ["sbin/condor_startd", "bin/condor_ping", "libexec/condor/condor_shared_port"])
    def test_what_is_not_all_of_htcondor_is_said_with_how_to_get_it(self, tmp_path: Path, missing: str) -> None:
        (an_htcondor(tmp_path) / missing).unlink()
        with pytest.raises(ClientError, match=r"get\.htcondor\.org"):
            daemons.find(tmp_path, {})

    def test_so_is_where_there_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(daemons, "_USUAL", ())
        for given_ in (None, tmp_path / "not-there"):
            with pytest.raises(ClientError, match="No root is needed"):
                daemons.find(given_, {"PATH": str(tmp_path)})

    def test_no_other_configuration_is_heeded(self, tmp_path: Path) -> None:
        found = daemons.find(an_htcondor(tmp_path), {})
        outer = {"_CONDOR_LOG": "/x", "_condor_SPOOL": "/x", "CONDOR_CONFIG": "/x", "LANG": "C"}
        inner = found.environment(outer, tmp_path / "condor_config")
        assert inner.keys() == {"PATH", "CONDOR_CONFIG", "LANG"}
        assert inner["CONDOR_CONFIG"] == str(tmp_path / "condor_config")


class TestConfiguration:
    home = Home(Path("/home/alice/.local/state/prominence/workers/laptop"))

    def test_it_says_which_pool_and_what_is_offered(self) -> None:
        told = knobs(text.of_user(NAME, "condor.example.org:9619", "there", Offer(4, 8000, None, 600, 1800)))
        assert told["CONDOR_HOST"] == "condor.example.org"
        assert told["COLLECTOR_HOST"] == told["CCB_ADDRESS"] == "condor.example.org:9619"
        assert (told["NETWORK_HOSTNAME"], told["TRUST_DOMAIN"]) == (NAME, "there")
        assert (told["NUM_CPUS"], told["MEMORY"]) == ("4", "8000")
        assert (told["PROMINENCE_UNUSED_AFTER_S"], told["PROMINENCE_LOST_AFTER_S"]) == ("600", "1800")

    def test_a_port_is_none_of_the_hosts_name(self) -> None:
        assert text.meeting("ap")["CONDOR_HOST"] == text.meeting("ap:9618")["CONDOR_HOST"] == "ap"

    def test_all_that_it_writes_is_in_its_own_directory(self) -> None:
        told = knobs(text.mine(self.home, Path("/scratch/x"), Offer(1, 1000), "1000.100"))
        paths = [value for value in told.values() if value.startswith("/")]
        assert len(paths) > 8
        assert all(path.startswith(str(self.home.root)) for path in paths if path != "/scratch/x")
        assert told["CONDOR_IDS"] == "1000.100"
        assert "START" not in told

    def test_one_that_must_end_takes_no_job_that_would_not(self) -> None:
        told = knobs(text.mine(self.home, Path("/s"), Offer(1, 1000, ends_at=NOON), "1000.100"))
        assert told["START"] == f"($(START)) && ({lifetimes.START})"
        assert (told["ProminenceEndsAt"], told["STARTD_ATTRS"]) == (str(NOON), "$(STARTD_ATTRS), ProminenceEndsAt")

    @pytest.mark.parametrize(
        ("runtimes", "words"),
        [((), None), (("apptainer",), "--only apptainer"), (("process",), "--allow process --only process")],
    )
    def test_what_isolates_nothing_is_offered_only_if_it_is_named(
        self, runtimes: tuple[str, ...], words: str | None
    ) -> None:
        told = knobs(text.mine(self.home, Path("/s"), Offer(1, 1000, runtimes=runtimes), "1000.100"))
        assert told.get("STARTD_CRON_RUNTIMES_ARGS") == words

    @given(st.text())
    def test_no_value_says_more_than_a_value(self, said: str) -> None:
        try:
            told = text.of_user(NAME, said, said, Offer(1, 1000))
        except Rejected:
            return
        assert len(told.splitlines()) == len(text.of_user(NAME, "ap", "here", Offer(1, 1000)).splitlines())
        assert knobs(told)["COLLECTOR_HOST"] == said


class TestScratch:
    def test_of_what_programs_need_for_a_moment_a_killed_one_leaves_nothing_beside_the_workers_own(
        self, tmp_path: Path
    ) -> None:
        home = Home(tmp_path / "again")
        home.root.mkdir()
        with start.scratch(home, None) as scratch:
            inner = start.environment(home, daemons.find(an_htcondor(tmp_path / "usr"), {}), scratch, {"TMPDIR": "/x"})
            assert inner["TMPDIR"] == str(scratch.tmp) and scratch.tmp.is_dir() and scratch.execute.is_dir()
            assert {scratch.tmp.parent, scratch.execute.parent} == {home.root}

    def test_a_directory_for_directories_is_left_as_it_was(self, tmp_path: Path) -> None:
        with start.scratch(Home(tmp_path / "again"), tmp_path) as scratch:
            assert scratch.root.parent == tmp_path and scratch.root.stat().st_mode & 0o777 == 0o700
            (scratch.tmp / "left").touch()
            (scratch.execute / "dir_7").mkdir(0o500)
        assert list(tmp_path.iterdir()) == []


class TestRenewal:
    def test_a_token_is_renewed_at_half_of_its_time_and_later_if_that_fails(self, tmp_path: Path) -> None:
        now, answers, said = [float(NOON)], [Unreachable("no answer"), "second"], []

        def ask() -> start.Admission:
            answer = answers.pop(0)
            if isinstance(answer, ClientError):
                raise answer
            return start.Admission(str(answer), "alice-0a", "ap", "here", NOON + 20_000, ask)

        home = Home(tmp_path)
        home.token.parent.mkdir(parents=True)
        first = start.Admission("first", "alice-0a", "ap", "here", NOON + 10_000, ask)
        renewal = start.Renewal(home, first, said.append, lambda: now[0])
        for after_s, written in ((4000, False), (5001, False), (5100, False), (5700, True), (9000, True)):
            now[0] = NOON + after_s
            renewal()
            assert home.token.exists() is written
        assert home.token.read_text() == "second\n" and len(said) == 1


def test_a_refusal_of_the_service_is_its_sentence(tmp_path: Path) -> None:
    api = FakeApi()
    api.instead.append(refused(403, "This service takes no workers of users: its pool makes its own."))
    there = an_htcondor(tmp_path / "condor")
    words = ["worker", "start", "--condor", str(there), "--memory", "1"]
    result = run_command(api, *words, environment={**WHERE, "XDG_STATE_HOME": str(tmp_path / "state")})
    assert result.exit_code == 125
    assert result.stderr.endswith("its pool makes its own (Forbidden)\n")
    assert not (tmp_path / "state").exists()
    assert json.dumps(api.paths) == '["POST /token"]'


def knobs(configuration: str) -> dict[str, str]:
    return dict(re.fullmatch(r"(\w+) = ?(.*)", line).groups() for line in configuration.splitlines())  # type: ignore[union-attr, misc]


def test_the_batch_script_of_the_documentation_is_one() -> None:
    script = (Path(__file__).parents[3] / "docs/examples/worker.slurm").read_text()
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""
    [words] = re.findall(r"^exec prominence (.*)", script.replace("\\\n", ""), re.MULTILINE)
    told = shlex.split(words.replace("$HOME", "/").replace("${PROMINENCE_COLLECTOR:-condor.example.org}", "ap"))
    result = run_command(FakeApi(), *told, "--condor", "/nowhere")
    assert "prominence-worker.token" in result.stderr and result.exit_code == 125  # which is not there
