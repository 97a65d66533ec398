"""What Slurm is told and tells: command lines, batch scripts, lists of jobs, and refusals."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.cli.errors import ClientError
from prominence.cli.worker import orders
from prominence.core.errors import (
    CloudError,
    CredentialsRefused,
    NoSuchFlavour,
    OutOfCapacity,
    ProminenceError,
    QuotaExceeded,
    Rejected,
    Unavailable,
)
from prominence.core.machines import Market
from prominence.core.validation import parse
from prominence.imc import userdata
from prominence.imc.adapters import slurm_words as words
from prominence.imc.adapters.cloud_errors import SLURM, of_answer
from prominence.imc.adapters.slurm import SlurmCloud
from prominence.imc.declared_slurm import SlurmSettings
from prominence.imc.ports import File, NodeState

SMALL = {"name": "small", "partition": "main", "cpus": 2, "memory_mib": 500}
FILES = (
    File(userdata.CONFIG, 0o644, "NUM_CPUS = 2\n"),
    File(userdata.INVITATION, 0o600, '{"secret": "hidden"}\n'),
    File(userdata.BROKER, 0o600, "{}"),
)


def declared(**changes: Any) -> SlurmSettings:
    return parse(SlurmSettings, {"type": "slurm", "flavours": [SMALL], **changes})


class Told:
    """Slurm's commands, with what they answer one after the other: text, or exit code and complaint."""

    def __init__(self, *answers: str | tuple[int, str] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []
        self.said: list[str] = []

    def __call__(self, command: Sequence[str], stdin: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        self.asked.append(list(command))
        self.said.append(stdin)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        code, complaint = answer if isinstance(answer, tuple) else (0, "")
        return subprocess.CompletedProcess(command, code, "" if code else str(answer), complaint)


def a_cloud(told: Told, **changes: Any) -> SlurmCloud:
    return SlurmCloud("hpc", declared(poll_s=0, **changes), "lab", told, clock=lambda: 0.0)


class TestSubmission:
    def test_it_asks_for_what_is_declared_and_no_secret_is_on_the_command_line(self) -> None:
        told = Told("", "17;cluster\n")
        a_cloud(told, flavours=[{**SMALL, "account": "phys", "qos": "low", "gpus": 1, "walltime": 60}]).create(
            "w-1", a_cloud(told).flavours()[0], FILES
        )
        submit = told.asked[1]
        assert submit[:2] == ["sbatch", "--parsable"]
        assert {
            "--job-name=prominence.lab.w-1",
            "--partition=main",
            "--cpus-per-task=2",
            "--mem=756M",
            "--time=60",
        } <= {*submit}
        assert {"--account=phys", "--qos=low", "--gpus-per-node=1", "--no-requeue", "--export=NONE"} <= {*submit}
        assert "hidden" not in " ".join(submit) and "hidden" not in told.said[1]

    def test_the_worker_reads_what_imc_has_written(self) -> None:
        settings = declared(setup=["module load apptainer"], condor="/opt/condor")
        script = words.script(settings, settings.flavours[0], "w-1", FILES)
        begin, command, *packed = script.splitlines()[0], script.splitlines()[2], *script.splitlines()[3:-1]
        assert (begin, script.splitlines()[1]) == ("#!/bin/sh", "module load apptainer")
        assert command.endswith("worker pilot --directory /tmp --condor /opt/condor <<'END'")
        told = orders.read("\n".join(packed))
        assert (told.worker, told.config, told.minutes) == ("w-1", "NUM_CPUS = 2\n", 1440)
        assert told.invitation == FILES[1].text and "hidden" not in repr(told)

    @given(st.text(), st.text())
    def test_no_file_can_say_more_to_the_shell_than_its_content(self, one: str, other: str) -> None:
        settings = declared(program="/bin/cat")
        files = (File(userdata.CONFIG, 0o644, one or "x"), File(userdata.INVITATION, 0o600, other or "x"))
        lines = words.script(settings, settings.flavours[0], "w-1", files).splitlines()
        assert all(base64.b64decode(line, validate=True) for line in lines[2:-1])
        assert lines[-1] == "END"
        assert orders.read("".join(lines[2:-1])).config == files[0].text

    def test_over_ssh_each_word_is_quoted_for_the_shell_there(self) -> None:
        settings = declared(login="svc@login.example.org", known_hosts_file="/k", key_file="/id", port=2222)
        command = words.through_ssh(settings, ["squeue", "--format=%i|%T", "a b; rm"])
        assert command[-3:-1] == ["--", "svc@login.example.org"]
        assert shlex.split(command[-1]) == ["squeue", "--format=%i|%T", "a b; rm"]
        assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=/k"} <= {*command}

    def test_one_that_waits_or_runs_already_is_not_submitted_again(self) -> None:
        told = Told("3|PENDING|prominence.lab.w-1|Priority\n")
        cloud = a_cloud(told)
        cloud.create("w-1", cloud.flavours()[0], FILES)
        assert [asked[0] for asked in told.asked] == ["squeue"]

    def test_a_flavour_that_is_declared_no_more_is_none(self) -> None:
        flavour = a_cloud(Told()).flavours()[0].model_copy(update={"name": "other"})
        with pytest.raises(NoSuchFlavour):
            a_cloud(Told()).create("w-1", flavour, FILES)

    def test_a_flavour_tells_for_how_long_its_machines_are_there(self) -> None:
        [flavour] = a_cloud(Told(), flavours=[{**SMALL, "walltime": 60}]).flavours()
        assert flavour.lifetime_s == 3600

    def test_what_may_be_taken_away_is_another_market(self) -> None:
        settings = declared(flavours=[{**SMALL, "preemptible": True, "price": 0.5}])
        assert settings.flavours[0].offered("hpc").market is Market.SPOT


class TestListing:
    @pytest.mark.parametrize(
        ("line", "state", "detail", "taken"),
        [
            ("PENDING|{}|Priority", NodeState.RUNNING, "pending, Priority", False),
            ("CONFIGURING|{}|None", NodeState.RUNNING, "", False),
            ("RUNNING|{}|None", NodeState.RUNNING, "", False),
            ("SUSPENDED|{}|None", NodeState.RUNNING, "", False),
            ("PENDING|{}|BadConstraints", NodeState.STOPPED, "pending, BadConstraints", False),
            ("COMPLETED|{}|None", NodeState.STOPPED, "completed", False),
            ("FAILED|{}|NonZeroExitCode", NodeState.STOPPED, "failed, NonZeroExitCode", False),
            ("TIMEOUT|{}|TimeLimit", NodeState.STOPPED, "timeout, TimeLimit", True),
            ("PREEMPTED|{}|None", NodeState.STOPPED, "preempted", True),
        ],
    )
    def test_each_state_of_slurms_is_one_of_ours(self, line: str, state: NodeState, detail: str, taken: bool) -> None:
        [node] = a_cloud(Told(f"3|{line.format('prominence.lab.w-1')}\n")).nodes()
        assert (node.name, node.state, node.detail, node.taken) == ("w-1", state, detail, taken)

    def test_what_is_not_ours_or_was_cancelled_is_not_told(self) -> None:
        listed = "\n".join(
            [
                "1|RUNNING|prominence.lab2.w-1|None",
                "2|RUNNING|prominence.lab.x.w-1|None",
                "3|CANCELLED|prominence.lab.w-2|None",
                "4|RUNNING|somebody's|None",
                "x|RUNNING|prominence.lab.w-3|None",
                "5|RUNNING|prominence.lab.w-4|a|b",
            ]
        )
        assert [node.name for node in a_cloud(Told(listed)).nodes()] == ["w-4"]

    @given(st.text())
    def test_any_text_is_a_list_of_some_jobs_or_none(self, text: str) -> None:
        for job in words.read(text, "lab"):
            assert job.worker and words.node(job.worker, [job]).name == job.worker

    @given(st.text())
    def test_sbatch_tells_a_number_or_something_strange(self, text: str) -> None:
        try:
            assert words.submitted(text) >= 0
        except Rejected:
            assert not text.strip().splitlines()[-1:] or not text.strip().splitlines()[-1].split(";")[0].isdecimal()

    def test_what_was_deleted_is_gone_though_slurm_still_tells_of_it(self) -> None:
        ended = "3|FAILED|prominence.lab.w-1|None\n"
        told = Told(ended, ended, "4|RUNNING|prominence.lab.w-1|None\n" + ended)
        cloud = a_cloud(told)
        cloud.delete("w-1")
        assert [asked[0] for asked in told.asked] == ["squeue"]
        assert cloud.nodes() == []
        assert [node.state for node in cloud.nodes()] == [NodeState.RUNNING]

    def test_what_ends_while_it_is_cancelled_is_gone_all_the_same(self) -> None:
        running = "3|RUNNING|prominence.lab.w-1|None\n"
        over = "scancel: error: Kill job error on job id 3: Job/step already completing or completed"
        cloud = a_cloud(Told(running, (1, over), running.replace("RUNNING", "COMPLETED"), running, (1, "no")))
        cloud.delete("w-1")
        assert cloud.nodes() == []
        with pytest.raises(CloudError, match="no"):
            a_cloud(Told(running, (1, "no"))).delete("w-1")

    def test_a_job_that_was_refused_is_none(self) -> None:
        refused = "3|FAILED|prominence.lab.w-1|BadConstraints\n"
        cloud = a_cloud(Told("", (1, "Memory specification can not be satisfied"), refused, refused))
        with pytest.raises(NoSuchFlavour):
            cloud.create("w-1", cloud.flavours()[0], FILES)
        assert cloud.nodes() == []

    def test_of_several_the_first_stays(self) -> None:
        both = "9|PENDING|prominence.lab.w-1|None\n10|RUNNING|prominence.lab.w-1|None\n"
        told = Told(both, "")
        a_cloud(told).thin_out("w-1")
        assert told.asked[-1] == ["scancel", "10"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("sbatch: error: Batch job submission failed: Invalid partition name specified", NoSuchFlavour),
            (
                "sbatch: error: Batch job submission failed: Requested node configuration is not available",
                NoSuchFlavour,
            ),
            ("sbatch: error: Invalid generic resource (gres) specification", NoSuchFlavour),
            ("sbatch: error: Batch job submission failed: Requested time limit is invalid", NoSuchFlavour),
            ("sbatch: error: Batch job submission failed: Invalid qos specification", NoSuchFlavour),
            ("sbatch: error: QOSMaxSubmitJobPerUserLimit", QuotaExceeded),
            ("sbatch: error: AssocMaxSubmitJobLimit", QuotaExceeded),
            ("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", QuotaExceeded),
            (
                "Batch job submission failed: Invalid account or account/partition combination specified",
                CredentialsRefused,
            ),
            ("User's group not permitted to use this partition", CredentialsRefused),
            ("svc@login: Permission denied (publickey).", CredentialsRefused),
            ("Host key verification failed.", CredentialsRefused),
            ("ssh: connect to host login port 22: Connection refused", Unavailable),
            ("ssh: Could not resolve hostname login: Name or service not known", Unavailable),
            ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", Unavailable),
            ("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying", Unavailable),
            ("Requested partition configuration not available now", OutOfCapacity),
            ("something else", CloudError),
        ],
    )
    def test_each_is_named_for_the_one_who_catches_it(self, text: str, error: type[ProminenceError]) -> None:
        assert type(of_answer(SLURM, text, None)) is error
        with pytest.raises(error):
            a_cloud(Told((1, text))).nodes()

    @pytest.mark.parametrize("trouble", [subprocess.TimeoutExpired("squeue", 1), FileNotFoundError(2, "No such file")])
    def test_a_command_that_does_not_answer_tells_nothing(self, trouble: Exception) -> None:
        with pytest.raises(Unavailable):
            a_cloud(Told(trouble)).nodes()

    def test_a_login_node_that_hangs_is_left_alone_for_a_while(self) -> None:
        """Or else each of imc's rounds would wait for it, and last longer than its lead."""
        now = [0.0]

        def hangs(command: Sequence[str], stdin: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
            now[0] += timeout_s
            raise subprocess.TimeoutExpired(command, timeout_s)

        cloud = SlurmCloud("hpc", declared(), "lab", hangs, clock=lambda: now[0])
        for _ in range(50):
            now[0] += 2
            with pytest.raises(Unavailable):
                cloud.nodes()
        assert now[0] == 50 * 2 + 60

    def test_a_submission_that_may_have_been_heard_is_unavailable(self) -> None:
        cloud = a_cloud(Told("", "what?", ""))
        with pytest.raises(Unavailable, match="tells no number"):
            cloud.create("w-1", cloud.flavours()[0], FILES)


@pytest.mark.parametrize(
    "wrong",
    [
        {"flavours": []},
        {"flavours": [SMALL, SMALL]},
        {"flavours": [{**SMALL, "partition": "a b"}]},
        {"flavours": [{**SMALL, "partition": "--wrap=x"}]},
        {"flavours": [{**SMALL, "account": "x\ny"}]},
        {"login": "svc@login.example.org"},
        {"login": "-oProxyCommand=x@y", "known_hosts_file": "/k"},
        {"program": "/bin/a; b"},
        {"directory": "tmp"},
        {"setup": ["one\ntwo"]},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        declared(**wrong)


keys = st.sampled_from(["worker", "files", "minutes", userdata.CONFIG, userdata.INVITATION])
documents = st.recursive(
    st.none() | st.integers() | st.text() | st.just("w-1"), lambda inner: st.lists(inner) | st.dictionaries(keys, inner)
)


@given(st.text() | documents.map(lambda told: base64.b64encode(json.dumps(told).encode()).decode()))
def test_orders_may_be_anything(text: str) -> None:
    try:
        told = orders.read(text)
    except ClientError:
        return
    assert told.worker and told.config and told.invitation
