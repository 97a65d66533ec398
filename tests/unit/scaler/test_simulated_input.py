"""What the simulator reads, and what it says of what it cannot."""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path
from random import Random

import pytest
from builders import NOON, a_demand, a_size, a_snapshot, minutes
from builders_simulate import a_kind, a_load, a_simulated_job
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Rejected
from prominence.core.reasons import Reason
from prominence.core.scaling import Explanation, ScalingPlan
from prominence.scaler.history import PlanHistory
from prominence.scaler.simulate import lublin, recorded, swf
from prominence.scaler.simulate.load import DAY_S, HOUR_S, of_jobs
from prominence.scaler.simulate.main import main


def a_line(**fields: object) -> str:
    """A job of four processors that was submitted after 100 s and ran 60 s. f2 is its submit time."""
    known = {"f1": 1, "f2": 100, "f4": 60, "f5": 4, "f7": 1024 * 1024, "f12": 3, "f13": 2, **fields}
    return " ".join(str(known.get(f"f{number}", -1)) for number in range(1, 19))


class TestSwf:
    def test_a_line_is_a_job(self) -> None:
        read = swf.parse(["; Version: 2.2", "", a_line()], "x.swf")
        (job,) = read.jobs
        assert (job.submitted_s, job.runtime_s, job.user, job.group, job.nodes) == (0, 60, "user3", "group2", 1)
        assert (job.size.cpus, job.size.memory_mib) == (4, 4096)
        assert read.notes == ()

    def test_what_was_asked_for_counts_for_memory_and_what_was_had_for_processors(self) -> None:
        (job,) = swf.parse([a_line(f8=64, f10=2 * 1024 * 1024)], "x.swf").jobs
        assert (job.size.cpus, job.size.memory_mib) == (4, 8192)
        (job,) = swf.parse([a_line(f5=-1, f8=64)], "x.swf").jobs
        assert (job.size.cpus, job.nodes) == (32, 2)

    def test_jobs_that_never_ran_are_left_out_and_told(self) -> None:
        read = swf.parse([a_line(), a_line(f4=-1), a_line(f5=0), a_line(f7=-1)], "x.swf")
        assert len(read.jobs) == 2
        assert read.notes == (
            "2 jobs never ran or have no processors and are left out",
            "1 jobs do not say their memory; they get 2 GiB a core",
        )

    def test_every_wrong_line_is_told_with_its_number(self) -> None:
        with pytest.raises(Rejected) as caught:
            swf.parse([a_line(), "1 2 3", a_line(f4="x", f5="nan"), a_line(f2=-5)], "x.swf")
        assert [str(mistake) for mistake in caught.value.mistakes] == [
            "x.swf:2: has 3 fields instead of 18",
            "x.swf:3: field 4, 5: not a number",
            "x.swf:4: field 2: the submit time is below 0",
        ]

    def test_of_very_many_wrong_lines_a_hundred_are_told(self) -> None:
        with pytest.raises(Rejected) as caught:
            swf.parse(["x"] * 250, "x.swf")
        assert len(caught.value.mistakes) == 101
        assert caught.value.mistakes[-1].message == "150 more lines are wrong"

    @given(st.lists(st.text(max_size=60), max_size=5))
    def test_whatever_is_in_a_file_there_are_jobs_or_sentences(self, lines: list[str]) -> None:
        try:
            assert swf.parse(lines, "x.swf").jobs
        except Rejected as error:
            assert error.mistakes


class TestRecorded:
    def test_more_of_a_kind_than_before_have_come(self) -> None:
        looks = [(0, 3), (1, 1), (2, 4)]
        lines = [
            a_snapshot(taken_at=NOON + minutes(after), demand=(a_demand(jobs=jobs),)).model_dump_json()
            for after, jobs in looks
        ]
        read = recorded.parse(lines, "x.jsonl", 300)
        assert [job.submitted_s for job in read.jobs] == [0, 0, 0, 120, 120, 120]
        assert {job.runtime_s for job in read.jobs} == {300}
        assert read.notes == ("every job is taken to run 300 s",)

    def test_a_look_that_did_not_see_the_queue_counts_for_nothing(self) -> None:
        lines = [
            a_snapshot(taken_at=NOON + minutes(after), demand=demand).model_dump_json()
            for after, demand in ((0, (a_demand(jobs=2),)), (1, None), (2, (a_demand(jobs=2),)))
        ]
        read = recorded.parse(lines, "x.jsonl", 300)
        assert (len(read.jobs), read.notes[1]) == (2, "1 looks did not know the queue and are left out")

    def test_nodes_of_one_job_are_one_job(self) -> None:
        line = a_snapshot(demand=(a_demand(jobs=6, nodes=3),)).model_dump_json()
        assert [job.nodes for job in recorded.parse([line], "x.jsonl", 300).jobs] == [3, 3]

    def test_the_history_of_plans_is_read_as_the_scaler_writes_it(self, tmp_path: Path) -> None:
        history = PlanHistory(tmp_path / "plans.jsonl")
        for after, jobs in ((0, 2), (1, 5)):
            told = Explanation(size=a_size(), user="ann", jobs=jobs, reason=Reason.QUEUED)
            history.record(ScalingPlan(made_at=NOON + minutes(after), explanations=(told,)), fence=1)
        read = recorded.read(tmp_path / "plans.jsonl", 300)
        assert [job.submitted_s for job in read.jobs] == [0, 0, 60, 60, 60]

    def test_every_wrong_line_is_told_with_its_number(self) -> None:
        with pytest.raises(Rejected) as caught:
            recorded.parse(["{", "[]", '{"made_at": "noon"}', json.dumps({"taken_at": 1})], "x.jsonl", 300)
        assert [mistake.path for mistake in caught.value.mistakes] == [f"x.jsonl:{n}" for n in (1, 2, 3)]


class TestModel:
    def test_a_day_has_its_rush_in_the_afternoon_and_its_calm_before_dawn(self) -> None:
        weights = lublin.day()
        assert statistics.fmean(weights) == pytest.approx(1)
        assert 11 <= weights.index(max(weights)) / 2 <= 15
        assert 3 <= weights.index(min(weights)) / 2 <= 6

    def test_processors_and_run_times_are_those_of_the_paper(self) -> None:
        chance = Random(1)
        counts = [lublin.processors(chance) for _ in range(20_000)]
        assert counts.count(1) / len(counts) == pytest.approx(lublin.SERIAL, abs=0.02)
        powers = sum(1 for count in counts if count & (count - 1) == 0) / len(counts)
        assert powers > lublin.SERIAL + lublin.POWER_OF_TWO - 0.02
        assert max(counts) == 128
        logarithms = [math.log(lublin.runtime_s(chance, 1)) for _ in range(20_000)]
        first = lublin.SLOPE + lublin.AT_NONE
        mean = first * math.prod(lublin.SHORT) + (1 - first) * math.prod(lublin.LONG)
        assert statistics.fmean(logarithms) == pytest.approx(mean, rel=0.02)
        assert max(logarithms) <= lublin.LONGEST

    def test_more_arrive_at_a_higher_rate_in_order_and_in_time(self) -> None:
        few, many = ([*lublin.arrivals(Random(1), DAY_S, rate)] for rate in (20, 200))
        assert few == sorted(few)
        assert max(many) < DAY_S
        assert len(many) > 4 * len(few)


class TestCommand:
    def test_a_table_or_an_object_is_printed(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        arguments = ["--load", "trickle", "--hours", "1", "--seed", "7", "--strategy", "ceiling"]
        assert main([*arguments, "--plot", str(tmp_path / "x.svg")]) == 0
        table = capsys.readouterr().out
        assert "seed 7" in table
        assert "ceiling" in table
        assert (tmp_path / "x.svg").read_text().count("<svg") == 1
        assert main([*arguments, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["seed"], told["strategies"][0]["strategy"]) == (7, "ceiling")

    def test_a_seed_is_made_up_and_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        for _ in range(2):
            assert main(["--load", "trickle", "--hours", "0.5", "--strategy", "first-fit"]) == 0
        first, second = (line for line in capsys.readouterr().out.splitlines() if "seed" in line)
        assert first != second

    def test_files_are_replayed(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        file = tmp_path / "few.swf"
        file.write_text("\n".join([a_line(), a_line(f7=9_000_000_000)]))
        assert main(["--load", str(file), "--strategy", "first-fit"]) == 0
        assert "1 jobs fit on no machine and are left out" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--load", "nights"], "--load: there is no nights; there are day,"),
            (["--strategy", "best"], "--strategy: there is no best; there are ours,"),
            (["--hours", "0"], "--hours: must be above 0"),
            (["--interval", "nan"], "--interval: must be above 0"),
            (["--plot", "x.gif"], "--plot: x.gif must end in .png or .svg"),
            (["--policy", "/nowhere.toml"], "/nowhere.toml: cannot be read: No such file or directory"),
            (["--load", "/nowhere.swf"], "/nowhere.swf: cannot be read: No such file or directory"),
            (["--load", "/nowhere.jsonl"], "/nowhere.jsonl: cannot be read: No such file or directory"),
        ],
    )
    def test_mistakes_are_told_in_sentences(
        self, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 2
        assert capsys.readouterr().err.startswith(f"simulate: {sentence}")

    def test_mistakes_of_a_policy_are_told_with_their_place(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        file = tmp_path / "scaler.toml"
        file.write_text("[policy]\nmax_workers = -1\nidle = 3\n")
        assert main(["--policy", str(file)]) == 2
        told = capsys.readouterr().err
        assert f"{file}: policy.max_workers: " in told
        assert f"{file}: policy.idle: " in told


def test_jobs_that_fit_on_no_machine_are_left_out_and_told() -> None:
    offer = a_load([], a_kind(4, 16))
    load = of_jobs("x", [a_simulated_job(1), a_simulated_job(2, size=a_size(8))], ["a note"], offer)
    assert [job.size.cpus for job in load.jobs] == [1]
    assert load.notes == ("a note", "1 jobs fit on no machine and are left out")
    assert HOUR_S * 24 == DAY_S
