"""What goes into an image, and when it is built anew."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from prominence.cli.pool.recipes import Context, _recipe, proxies
from prominence.cli.pool.site import requirements


def test_the_digest_changes_with_everything_that_goes_in(tmp_path: Path) -> None:
    def context(path: str = "a", mode: int = 0o644, content: bytes = b"x", tree: str = "t") -> Context:
        return Context({path: (mode, content)}, {"site": (tree, tmp_path)})

    digests = [
        context().digest("parent"),
        context().digest("other parent"),
        context(path="b").digest("parent"),
        context(mode=0o755).digest("parent"),
        context(content=b"y").digest("parent"),
        context(tree="u").digest("parent"),
    ]
    assert len(set(digests)) == len(digests)
    assert context().digest("parent") == digests[0]


def test_everything_in_the_archive_is_roots_and_can_be_read_by_all(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("")
    (tmp_path / "module.py").chmod(0o600)
    tmp_path.chmod(0o700)
    stream = io.BytesIO()
    Context({"bin/start": (0o755, b"#!/bin/sh\n")}, {"site": ("t", tmp_path)}).write_to(stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as archive:
        entries = archive.getmembers()
    assert {entry.name for entry in entries} == {"bin/start", "site", "site/module.py"}
    assert {(entry.uid, entry.gid) for entry in entries} == {(0, 0)}
    assert {entry.name: entry.mode for entry in entries} == {"bin/start": 0o755, "site": 0o755, "site/module.py": 0o644}


@pytest.mark.parametrize("role", ["base", "access-point", "imc", "worker"])
def test_every_recipe_comes_with_the_package_and_its_programs_can_be_run(role: str) -> None:
    context = _recipe(role)
    assert "Dockerfile" in context.files
    for path, (mode, content) in context.files.items():
        if path.startswith("bin/"):
            assert mode == 0o755
            assert content.startswith(b"#!")
    assert all(b"BEGIN PRIVATE" not in content for _, content in context.files.values())


def test_the_images_get_what_the_services_need_and_not_what_the_host_needs() -> None:
    names = {requirement.split("<")[0].split(">")[0] for requirement in requirements(("restapi", "scaler", "imc"))}
    assert {"flask", "gunicorn", "pydantic", "cslab-etcd3"} <= names
    assert not {"rich", "click", "pytest", "htcondor"} & names


def test_a_build_uses_the_proxies_of_its_user_however_they_are_spelled() -> None:
    assert proxies(
        {"HTTP_PROXY": "http://a", "https_proxy": "http://b", "HTTPS_PROXY": "http://c", "no_proxy": ""}
    ) == {
        "http_proxy": "http://a",
        "https_proxy": "http://b",
    }
