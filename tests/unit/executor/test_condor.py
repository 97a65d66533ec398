from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from prominence.executor.condor import attributes, surroundings

JOB_AD = """\
Args = "plan.json"
ClusterId = 17
ProcId = 0
Requirements = (TARGET.Arch == "X86_64") && (Memory >= RequestMemory)
"""
MACHINE_AD = """\
Name = "slot1_1@worker-1"
Machine = "worker-1"
Disk = 210740
Cpus = 3
ProminenceTaskNetwork = "outbound"
ProminenceRuntimes = "apptainer docker"
ProminenceApptainer = "1.4.5"
"""


def test_the_ads_in_the_sandbox_tell_where_we_are(tmp_path: Path) -> None:
    (tmp_path / ".job.ad").write_text(JOB_AD)
    (tmp_path / ".machine.ad").write_text(MACHINE_AD)
    found = surroundings(
        {
            "_CONDOR_SCRATCH_DIR": str(tmp_path),
            "_CONDOR_JOB_AD": str(tmp_path / ".job.ad"),
            "_CONDOR_MACHINE_AD": str(tmp_path / ".machine.ad"),
        },
        "host",
    )
    assert (found.sandbox, found.job_id, found.host, found.network) == (tmp_path, "17", "worker-1", "outbound")
    assert found.runtimes == ("apptainer", "docker")
    assert (found.disk_kib, found.cpus, found.apptainer) == (210740, 3, "1.4.5")
    assert (found.member, found.node, found.address) == (None, (0, 1), "")


def test_a_node_of_a_job_knows_which_it_is_and_where_others_reach_it(tmp_path: Path) -> None:
    (tmp_path / ".job.ad").write_text(
        "ClusterId = 17\nProminenceNode = 1\nProminenceNodeCount = 3\nNumJobCompletions = 2\nChirpProminenceUnmet = 4\n"
    )
    (tmp_path / ".machine.ad").write_text('MyAddress = "<10.9.0.4:9618?addrs=10.9.0.4-9618&alias=worker-1>"\n')
    ads = {"_CONDOR_JOB_AD": str(tmp_path / ".job.ad"), "_CONDOR_MACHINE_AD": str(tmp_path / ".machine.ad")}
    found = surroundings(ads, "host")
    assert (found.job_id, found.node, found.address) == ("17", (1, 3), "10.9.0.4")
    assert (found.completions, found.unmet) == (2, 4)


def test_a_member_of_an_array_has_its_place_in_its_number(tmp_path: Path) -> None:
    (tmp_path / ".job.ad").write_text(
        "ClusterId = 17\nProcId = 3\nProminenceArrayIndex = 3\nProminenceArrayCount = 20\n"
    )
    found = surroundings({"_CONDOR_JOB_AD": str(tmp_path / ".job.ad")}, "host")
    assert (found.job_id, found.member) == ("17.3", (3, 20))


def test_a_job_at_the_end_of_a_workflow_finds_how_that_has_ended(tmp_path: Path) -> None:
    for told, end in (('"2 17"', (2, 17)), ('"0 0"', (0, 0)), ('"$(DAG_STATUS) 0"', None), ("undefined", None)):
        (tmp_path / ".job.ad").write_text(f"ProminenceWorkflowEnd = {told}\n")
        assert surroundings({"_CONDOR_JOB_AD": str(tmp_path / ".job.ad")}, "host").end == end


def test_without_htcondor_we_are_where_we_were_started_and_reach_nothing(tmp_path: Path) -> None:
    found = surroundings({"_CONDOR_JOB_AD": str(tmp_path / "missing")}, "host")
    assert (found.sandbox, found.job_id, found.host, found.network) == (Path.cwd(), "", "host", "none")
    assert (found.runtimes, found.disk_kib, found.cpus, found.apptainer) == (None, None, None, "")


def test_a_worker_that_has_not_told_its_runtimes_yet_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".machine.ad").write_text("ProminenceRuntimes = undefined\nProminenceApptainer = undefined\n")
    found = surroundings({"_CONDOR_MACHINE_AD": str(tmp_path / ".machine.ad")}, "host")
    assert (found.runtimes, found.apptainer) == (None, "")


def test_names_ignore_case_and_strings_lose_their_quotes() -> None:
    assert attributes('CLUSTERID = 17\nA = "say \\"hi\\" = x"\n') == {"clusterid": "17", "a": 'say "hi" = x'}


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert all(name == name.strip().lower() for name in attributes(text))
