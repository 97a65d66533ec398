"""The sentences are the runtimes' own, copied from their output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.plan import RegistryCredential
from prominence.core.reasons import Reason
from prominence.executor.words import apptainers_own_failure, last_line, why_not_fetched, why_not_started

NO_SUCH = "there is no such image, or it needs a password"
REFUSED = "the registry refused it"
UNREACHABLE = "the registry cannot be reached, or breaks off"

FETCHES = [
    ("manifest for localhost:5055/busybox:nope not found: manifest unknown: manifest unknown", NO_SUCH),
    (
        "pull access denied for nonexist, repository does not exist or may require 'docker login': denied: "
        "requested access to the resource is denied",
        NO_SUCH,
    ),
    (
        "FATAL:   While making image from oci registry: error fetching image to cache: failed to get checksum for "
        "docker://172.17.0.5:5000/nope:1: reading manifest 1 in 172.17.0.5:5000/nope: manifest unknown",
        NO_SUCH,
    ),
    (
        'Get "https://registry.example.org/v2/": dial tcp: lookup registry.example.org on 10.0.0.1:53: no such host',
        "there is no registry of that name",
    ),
    ('Get "http://localhost:5999/v2/": dial tcp 127.0.0.1:5999: connect: connection refused', UNREACHABLE),
    (
        "FATAL:   While making image from oci registry: error fetching image to cache: failed to get checksum for "
        'docker://172.17.0.5:5000/busybox:1: pinging container registry 172.17.0.5:5000: Get "https://172.17.0.5:5000'
        '/v2/": http: server gave HTTP response to HTTPS client',
        "the registry has no certificate that the worker trusts",
    ),
    ("write tcp 10.0.0.1:5000: use of closed network connection", UNREACHABLE),
    ("received unexpected HTTP status: 503 Service Unavailable", UNREACHABLE),
    ("error pulling image configuration: unexpected EOF", UNREACHABLE),
    ("toomanyrequests: You have reached your pull rate limit.", "the registry allows no more downloads for now"),
    ("unauthorized: authentication required", REFUSED),
    (
        'Head "http://127.0.0.1:5000/v2/tiny/manifests/1": no basic auth credentials',
        REFUSED,
    ),
    ("write /var/lib/docker/tmp/x: no space left on device", "the worker's disk is full"),
    ("something\nquite new happened\n\n", "quite new happened"),
    ("", "the runtime does not say why"),
]

STARTS = [
    ('FATAL:   "nonexist": executable file not found in $PATH', 127, 'the command "x" was not found in the image'),
    ("FATAL:   stat /bin/nonexist: no such file or directory", 127, 'the command "x" was not found in the image'),
    ("FATAL:   is a directory", 126, 'the command "x" cannot be executed'),
    (
        "[FATAL tini (7)] exec nonexist failed: No such file or directory",
        127,
        'the command "x" was not found in the image',
    ),
    ("[FATAL tini (7)] exec /etc failed: Permission denied", 126, 'the command "x" cannot be executed'),
    ("[FATAL tini (7)] exec ./a failed: Exec format error", 126, 'the command "x" cannot be executed'),
    (
        "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container "
        'process: exec: "nonexist": executable file not found in $PATH: unknown',
        127,
        'the command "x" was not found in the image',
    ),
    (
        "FATAL:   failed to set working directory: chdir /nowhere: no such file or directory",
        126,
        'the working directory "/w" cannot be entered',
    ),
    (
        'OCI runtime create failed: runc create failed: unable to start container process: chdir to cwd ("/root") set '
        "in config.json failed: permission denied: unknown",
        126,
        'the working directory "/w" cannot be entered',
    ),
]


@pytest.mark.parametrize(("said", "words"), FETCHES)
def test_why_an_image_cannot_be_had_is_put_into_few_words(said: str, words: str) -> None:
    assert why_not_fetched(said)[0] == words


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (NO_SUCH, Reason.IMAGE_NOT_FOUND),
        ("there is no registry of that name", Reason.IMAGE_NOT_FOUND),
        (REFUSED, Reason.IMAGE_REFUSED),
        (UNREACHABLE, Reason.IMAGE_UNAVAILABLE),
        ("the registry allows no more downloads for now", Reason.IMAGE_UNAVAILABLE),
        ("the worker's disk is full", Reason.IMAGE_PULL_FAILED),
        ("the registry has no certificate that the worker trusts", Reason.IMAGE_PULL_FAILED),
        ("quite new happened", Reason.IMAGE_PULL_FAILED),
    ],
)
def test_each_of_them_has_a_reason_that_tells_whether_to_try_again(words: str, reason: Reason) -> None:
    assert {why_not_fetched(said)[1] for said, told in FETCHES if told == words} == {reason}


@pytest.mark.parametrize(("said", "exit_code", "words"), STARTS)
def test_why_a_command_was_not_started_is_put_into_few_words(said: str, exit_code: int, words: str) -> None:
    assert why_not_started("x", "/w", f"earlier\n{said}\n") == (exit_code, words)


def test_an_image_without_a_command_of_its_own_is_told_as_such() -> None:
    assert why_not_started("", "/", STARTS[0][0])[1] == "the image's own command was not found in the image"


@pytest.mark.parametrize(
    "said",
    [
        "sh: nonexist: not found",
        "bash: line 1: nonexist: command not found",
        "FATAL:   container creation failed: mount /a->/b error: no such file or directory",
        "executable file not found in $PATH, I was told\nbut it is the last line that counts",
        "",
    ],
)
def test_what_a_program_says_itself_is_no_failure_of_its_start(said: str) -> None:
    assert why_not_started("x", "/", said) == (0, "")


def test_apptainers_own_failure_is_in_its_last_line() -> None:
    said = "a program's words\nFATAL:   container creation failed: no fuse\n"
    assert apptainers_own_failure(said) == "container creation failed: no fuse"
    assert apptainers_own_failure("FATAL:   once\nthen more") == ""


def test_what_apptainer_tells_of_a_helper_may_have_several_lines() -> None:
    said = "FATAL:   container creation failed: image driver squashfuse_ll instance exited: first\nsecond\n\n"
    told = "container creation failed: image driver squashfuse_ll instance exited: first second"
    assert apptainers_own_failure("a warning\n" + said) == told
    assert apptainers_own_failure(said + "a line of the task\n" * 10) == ""


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("unauthorized: authentication required", "the registry refused it with this imagePullCredential"),
        (FETCHES[1][0], "there is no such image, or the registry refused it with this imagePullCredential"),
        (FETCHES[4][0], UNREACHABLE),
        ("what is se cret/+ here?", "what is *** here?"),
    ],
)
def test_with_a_credential_a_refusal_is_of_that_and_it_is_not_repeated(said: str, words: str) -> None:
    assert why_not_fetched(said, RegistryCredential("alice", "se cret/+"))[0] == words


@given(st.text())
def test_anything_can_be_said(said: str) -> None:
    assert why_not_fetched(said)[0]
    assert why_not_started(said, said, said)[0] in (0, 126, 127)
    assert len(last_line(said)) <= 300 and "\n" not in last_line(said)
