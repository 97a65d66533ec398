"""Requirements taken apart: the parts say together what the whole says, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prominence.core.snapshot import Ad
from prominence.scaler.adapters.classads import evaluate
from prominence.scaler.clauses import clauses, is_of_size, names, told

JOB: Ad = (("RequestCpus", "2"), ("Wants", '"a && (b"'))
MACHINE: Ad = (("Arch", '"X86_64"'), ("Cpus", "4"), ("Storage", '"webdav s3"'))

atoms = st.sampled_from(
    [
        "true",
        "false",
        "undefined",
        'TARGET.Arch == "X86_64"',
        'TARGET.Arch is "&&"',
        "TARGET.Cpus >= RequestCpus",
        'stringListMember("s3", TARGET.Storage)',
        "Cpus =?= 4",
        'MY.Wants == "a && (b"',
        "TARGET.Nothing > 3",
        r'"\"&&" == "x"',
    ]
)
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||", "&&", "=?="]), inner).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        st.tuples(inner, inner).map(lambda p: f"{p[0]} && {p[1]}"),
        st.tuples(inner, inner).map(lambda p: f"{p[0]} || {p[1]}"),
        st.tuples(inner, inner, inner).map(lambda p: f"{p[0]} ? {p[1]} : {p[2]}"),
        inner.map(lambda text: f"( {text} )"),
        inner.map(lambda text: f"!({text})"),
    ),
    max_leaves=8,
)


@given(expressions)
@example("true && false || true")
@example("(true) && (true)")
@example("true ? true : true && false")
def test_an_expression_is_true_when_all_its_parts_are(text: str) -> None:
    assert all(evaluate(part, JOB, MACHINE) for part in clauses(text)) == evaluate(text, JOB, MACHINE)


@given(st.text(max_size=60) | st.text(alphabet="()[]{}\"'\\&|?:=a ", max_size=40))
def test_any_text_can_be_taken_apart_and_looked_through(text: str) -> None:
    for part in clauses(text):
        names(part)
        is_of_size(part)
        told(part, {})
        evaluate(part, JOB, MACHINE)


def test_what_htcondor_adds_is_told_apart_from_what_the_job_says() -> None:
    text = (
        '((TARGET.HasLicence is true) && OpSysMajorVer >= 13) && (TARGET.Arch == "X86_64") &&'
        " (TARGET.Disk >= RequestDisk) && (TARGET.Memory >= RequestMemory) && (TARGET.HasFileTransfer)"
    )
    assert [part for part in clauses(text) if not is_of_size(part)] == [
        "TARGET.HasLicence is true",
        "OpSysMajorVer >= 13",
        'TARGET.Arch == "X86_64"',
        "TARGET.HasFileTransfer",
    ]


def test_names_are_of_the_job_of_the_machine_or_of_either() -> None:
    found = names(
        "regexp(\"^[a]+TARGET.x\", TARGET.Who) && MY.Sites =!= undefined && Cpus > 8.6E+00 && 'odd name' is 1"
    )
    assert (found.of_machine, found.of_job, found.either) == ({"who"}, {"sites"}, {"cpus"})


@pytest.mark.parametrize(
    ("clause", "sentence"),
    [
        ('stringListMember("onedata",TARGET.ProminenceStorage) is true', "storage of type onedata"),
        (
            'TARGET.ProminenceRuntimes is undefined || stringListMember("docker",TARGET.ProminenceRuntimes)'
            ' || stringListMember("podman",TARGET.ProminenceRuntimes)',
            "the runtime docker or podman",
        ),
        ('TARGET.Arch == "aarch64"', "the architecture aarch64"),
        (
            "countMatches(MY.RequireGPUs,TARGET.AvailableGPUs) >= RequestGPUs",
            "GPUs with 8000 MiB of memory and compute capability 8.6",
        ),
        (
            'MY.ProminencePreemptible isnt false || TARGET.ProminenceMarket isnt "spot"',
            "machines that no cloud takes away",
        ),
        ("TARGET.HasLicence", "TARGET.HasLicence"),
    ],
)
def test_a_part_is_told_to_people(clause: str, sentence: str) -> None:
    job = {"gpusminmemory": "8000", "gpusmincapability": "8.600000000000000E+00"}
    assert told(clause, job) == sentence
