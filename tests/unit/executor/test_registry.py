"""How an image's name is taken apart to ask its registry, and who is asked in which way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.executor import registry
from prominence.executor.registry import Name, is_insecure, parsed

DIGEST = f"sha256:{'a' * 64}"

CONFIGURATION = """unqualified-search-registries = ["docker.io"]
[[registry]]
location = "one:5000"
insecure = true
[[registry]]
prefix = "two"
location = "two"  # insecure = true
[[registry]]
location = "three"
insecure = false

[[registry.mirror]]
location = "mirror"
insecure = true
"""


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("busybox", Name("busybox", "registry-1.docker.io", "library/busybox", "latest", "")),
        ("docker://a/b:1", Name("a/b", "registry-1.docker.io", "a/b", "1", "")),
        ("docker.io/a/b:1", Name("docker.io/a/b", "registry-1.docker.io", "a/b", "1", "")),
        ("example.org/b", Name("example.org/b", "example.org", "b", "latest", "")),
        ("localhost:5000/b/c:1.2", Name("localhost:5000/b/c", "localhost:5000", "b/c", "1.2", "")),
        (f"localhost/b:1@{DIGEST}", Name("localhost/b", "localhost", "b", "", DIGEST)),
    ],
)
def test_a_name_is_taken_apart(image: str, name: Name) -> None:
    assert parsed(image) == name


def test_an_image_that_is_named_by_its_digest_is_not_asked_for() -> None:
    assert registry.exact(f"example.org/b:1@{DIGEST}", {}) == f"example.org/b@{DIGEST}"


def test_only_who_is_named_is_spoken_to_without_encryption() -> None:
    insecure = [one for one in ("one:5000", "two", "three", "mirror", "four") if is_insecure(one, CONFIGURATION)]
    assert insecure == ["one:5000"]


def test_a_registry_is_asked_through_the_workers_proxy_unless_it_is_excepted() -> None:
    proxies = {"https_proxy": "http://proxy:3128", "HTTPS_PROXY": "http://proxy:3128", "no_proxy": "example.org:5000"}
    assert registry.through("example.org", proxies)["https"] == "http://proxy:3128"
    assert registry.through("example.org:5000", proxies) == {}


@given(st.text(), st.text())
def test_any_text_can_be_a_name_or_a_configuration(image: str, text: str) -> None:
    assert parsed(image).registry is not None
    assert is_insecure(image, text) in (True, False)
