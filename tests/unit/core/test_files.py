"""Files of a job: what may be said of them, and what it means."""

from __future__ import annotations

from typing import Any

import pytest
from builders import job_json
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Rejected
from prominence.core.files import file_name, is_web_address
from prominence.core.job import JobSpec
from prominence.core.validation import parse


def job(**files: Any) -> JobSpec:
    return parse(JobSpec, {**job_json(), **files})


@pytest.mark.parametrize(
    "files",
    [
        {"inputs": [{"filename": "run.sh", "content": "", "executable": True}]},
        {"artifacts": [{"url": "data.tgz"}, {"url": "physics/a b/größe.tgz", "executable": False}]},
        {"artifacts": [{"url": "https://example.org:8443/a/b.tgz?x=y#z", "mountpoint": "b:/data/b"}]},
        {"artifacts": [{"url": "a.tgz", "mountpoint": "d:/data"}, {"url": "b.tgz", "mountpoint": "d:/data"}]},
        {"outputFiles": ["out.txt", "run/*.csv", "[ab]?"], "outputDirs": ["results", "run/results"]},
    ],
)
def test_files_that_can_be(files: dict[str, Any]) -> None:
    assert job(**files)


@pytest.mark.parametrize(
    ("path", "files"),
    [
        ("inputs[0].filename", {"inputs": [{"filename": "a/b", "content": ""}]}),
        ("inputs[0].filename", {"inputs": [{"filename": "..", "content": ""}]}),
        ("inputs[0].filename", {"inputs": [{"filename": "a\n", "content": ""}]}),
        ("inputs[0].content", {"inputs": [{"filename": "a", "content": "not base64!"}]}),
        ("inputs[0].content", {"inputs": [{"filename": "a"}]}),
        ("inputs[0].mode", {"inputs": [{"filename": "a", "content": "", "mode": 7}]}),
        ("artifacts[0].url", {"artifacts": [{"url": "ftp://example.org/a"}]}),
        ("artifacts[0].url", {"artifacts": [{"url": "file:///etc/passwd"}]}),
        ("artifacts[0].url", {"artifacts": [{"url": "https://example.org/"}]}),
        ("artifacts[0].url", {"artifacts": [{"url": "https://:80/a"}]}),
        ("artifacts[0].url", {"artifacts": [{"url": "https://example.org/a%2f.."}]}),
        ("artifacts[0].url", {"artifacts": [{"url": "a\r\nHost: b"}]}),
        ("artifacts[0].mountpoint", {"artifacts": [{"url": "a", "mountpoint": "a"}]}),
        ("artifacts[0].mountpoint", {"artifacts": [{"url": "a", "mountpoint": "a/b:/c"}]}),
        ("artifacts[0].mountpoint", {"artifacts": [{"url": "a", "mountpoint": "a:c"}]}),
        ("artifacts[0].mountpoint", {"artifacts": [{"url": "a", "mountpoint": "a:/"}]}),
        ("artifacts[0].mountpoint", {"artifacts": [{"url": "a", "mountpoint": "a:/proc/x"}]}),
        ("artifacts[0].mountpoint", {"artifacts": [{"url": "a", "mountpoint": "a:/home/user"}]}),
        ("artifacts[0].mountpoint", {"artifacts": [{"url": "a", "mountpoint": "a:/x/../etc"}]}),
        ("artifacts[0].mountpoint", {"artifacts": [{"url": "a", "mountpoint": "a:/x,source=/"}]}),
        ("outputFiles[0]", {"outputFiles": ["/etc/passwd"]}),
        ("outputFiles[0]", {"outputFiles": ["../x"]}),
        ("outputFiles[0]", {"outputFiles": [""]}),
        ("outputDirs[1]", {"outputDirs": ["a", "b/./c"]}),
        ("inputs", {"inputs": [{"filename": str(n), "content": ""} for n in range(1001)]}),
    ],
)
def test_files_that_cannot_be(path: str, files: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as told:
        job(**files)
    assert path in [mistake.path for mistake in told.value.mistakes]


@pytest.mark.parametrize(
    "files",
    [
        {"inputs": [{"filename": "a", "content": ""}, {"filename": "a", "content": ""}]},
        {"outputFiles": ["a", "a"]},
        {"outputFiles": ["a.tgz"], "outputDirs": ["a"]},
        {"artifacts": [{"url": "a", "mountpoint": "a:/x"}, {"url": "b", "mountpoint": "b:/x"}]},
        {"artifacts": [{"url": "a", "mountpoint": "a:/x"}, {"url": "b", "mountpoint": "a:/y"}]},
        {"artifacts": [{"url": str(n), "mountpoint": f"a{n}:/x{n}"} for n in range(17)]},
    ],
)
def test_of_two_files_one_name_would_be_lost(files: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        job(**files)


@pytest.mark.parametrize(
    ("url", "name"),
    [("a", "a"), ("physics/a.tgz", "a.tgz"), ("https://x.org/a/b%20c.tgz?q=/d", "b c.tgz"), ("HTTP://x.org/A", "A")],
)
def test_a_file_is_called_as_its_address_ends(url: str, name: str) -> None:
    assert file_name(url) == name
    assert is_web_address(url) == ("://" in url)


@given(url=st.text(max_size=50), mount=st.text(max_size=30), path=st.text(max_size=30))
def test_whatever_is_said_of_files_is_taken_or_refused(url: str, mount: str, path: str) -> None:
    try:
        spec = job(artifacts=[{"url": url, "mountpoint": mount}], outputFiles=[path], outputDirs=[path])
    except Rejected as error:
        assert error.mistakes
        return
    assert "/" not in file_name(spec.artifacts[0].url)
