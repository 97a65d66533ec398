"""How an image is spelled: a registry's name, an object, or an address."""

from __future__ import annotations

import re
from typing import Any

import pytest
from builders import a_job, a_task, job_json
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import images
from prominence.core.errors import Rejected
from prominence.core.images import Kind
from prominence.core.job import JobSpec
from prominence.core.validation import parse

SUFFIXES = [".sif", ".simg", ".tar", ".tar.gz", ".tgz", ".SIF", ".Tar.GZ"]
PLAIN = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)


def complaints_about_task(**changes: Any) -> list[str]:
    with pytest.raises(Rejected) as caught:
        parse(JobSpec, job_json(tasks=[a_task(**changes)]))
    return [str(mistake).removeprefix("tasks[0].") for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("image", "kind", "is_object"),
    [
        ("python:3.12", Kind.REGISTRY, False),
        ("registry.tar.example.org/group/tool", Kind.REGISTRY, False),
        ("group/tool.target:1.0", Kind.REGISTRY, False),
        ("tool.tar:1", Kind.REGISTRY, False),
        ("docker://registry.example.org/tool.tar", Kind.REGISTRY, False),
        ("tool.sif", Kind.SIF, True),
        ("physics/2026/Tool v1.simg", Kind.SIF, True),
        ("tool.tar", Kind.ARCHIVE, True),
        ("images/tool.tar.gz", Kind.ARCHIVE, True),
        ("http://example.org/tool.tgz", Kind.ARCHIVE, False),
        ("HTTPS://example.org/tool.sif?signature=x.tar#y", Kind.SIF, False),
        ("https://example.org/records/1/files/tool.sif/content", Kind.SIF, False),
    ],
)
def test_an_image_is_what_its_name_says(image: str, kind: Kind, is_object: bool) -> None:
    assert a_job(tasks=[a_task(image=image)]).tasks[0].image == image
    assert (images.kind(image), images.is_object(image)) == (kind, is_object)


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("/tool.sif", "an image cannot be a file on the job's storage"),
        ("../tool.sif", "not the name of a container image"),
        ("a//tool.sif", "not the name of a container image"),
        ("tool\n.sif", "not the name of a container image"),
        ("ftp://example.org/tool.sif", "not the name of a container image"),
        ("http://example.org/tool", "must be the address of a file that ends with .sif, .simg, .tar, .tar.gz, .tgz"),
        ("http://user:secret@example.org/tool.sif", "must not hold a user's name or password"),
        ("http://example.org:x/tool.sif", "is not a web address"),
        ("http:///tool.sif", "is not a web address"),
        ("http://example.org/a\x00.sif", "must not hold control characters"),
    ],
)
def test_what_can_be_no_image_is_refused_with_a_sentence(image: str, why: str) -> None:
    [complaint] = complaints_about_task(image=image)
    assert complaint.startswith(f"image: {why}"), complaint
    assert "secret" not in complaint


def test_a_checksum_is_of_a_file_and_in_either_case() -> None:
    checksum = "0123456789ABCDEF" * 4
    job = a_job(tasks=[a_task(image="tool.sif", imageSha256=checksum)])
    assert job.tasks[0].imageSha256 == checksum.lower()
    [complaint] = complaints_about_task(image="python:3.12", imageSha256=checksum)
    assert complaint.startswith("imageSha256: is for an image that is a file; name the digest")
    [complaint] = complaints_about_task(image="tool.sif", imageSha256="0123")
    assert "64 hexadecimal digits" in complaint


@pytest.mark.parametrize("image", ["tool.sif", "https://example.org/tool.tgz?download=1"])
def test_a_credential_is_for_registries(image: str) -> None:
    credential = {"username": "robot", "token": "s3cret"}
    assert a_job(tasks=[a_task(image="docker://tool.sif", imagePullCredential=credential)]).tasks[0].imagePullCredential
    [complaint] = complaints_about_task(image=image, imagePullCredential=credential)
    assert complaint == "imagePullCredential: is for an image in a registry; this one is a file"


def test_what_is_in_an_address_beside_the_file_may_be_a_secret_and_is_not_told() -> None:
    assert images.shown("https://example.org/tool.sif?signature=x#y") == "https://example.org/tool.sif"
    assert images.shown("physics/what?.sif") == "physics/what?.sif"


@given(st.lists(PLAIN, min_size=1, max_size=3), st.sampled_from(SUFFIXES))
def test_whatever_ends_like_a_file_is_one_unless_it_says_otherwise(parts: list[str], suffix: str) -> None:
    name = "/".join(parts) + suffix
    assert images.problem(name) == "" and images.is_object(name)
    assert images.kind(f"docker://{name}") is Kind.REGISTRY
    assert images.kind(f"{name}:1") is Kind.REGISTRY
    assert images.problem(f"https://host/{name}") == "" and not images.is_object(f"https://host/{name}")


@given(st.text(st.sampled_from("ab./:@?#\\ \n\x00é-_"), max_size=12), st.sampled_from(["", "http://a/", "docker://"]))
def test_no_text_is_taken_for_two_things(text: str, before: str) -> None:
    image = before + text
    if images.problem(image):
        return
    assert images.is_object(image) + (images.kind(image) is Kind.REGISTRY) + bool(re.match("https?://", image)) == 1
    assert not image.startswith("/") and "\n" not in image and "\x00" not in image
