"""Private images by the command line of docker or podman."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from prominence.core.plan import RegistryCredential
from prominence.executor.adapters.private import PrivateImages, logged_in, registries
from prominence.executor.ports import RuntimeFailed

ID = "sha256:3fab"


class Program:
    """docker, with what it is asked and the images that it knows."""

    def __init__(self, **known: str) -> None:
        self.known = known

    def __call__(self, *arguments: str) -> str:
        if arguments[0] == "tag":
            if arguments[1] not in self.known:
                raise RuntimeFailed("no such image")
            self.known[arguments[2]] = self.known[arguments[1]]
        elif arguments[0] == "rmi":
            del self.known[arguments[1]]
        else:
            image = arguments[-1]
            ids = [one for one in self.known.values() if one.partition(":")[2].startswith(image)]
            if image not in self.known and not ids:
                raise RuntimeFailed("no such image")
            return f"{self.known.get(image) or ids[0]}\n"
        return ""


def test_what_was_fetched_is_not_known_by_its_name_any_more() -> None:
    program = Program(tool=ID)
    images = PrivateImages(program)
    assert images.keep("tool")
    assert images.holds("tool")
    assert list(program.known) == [images.name_of("tool")]
    assert not PrivateImages(program).holds("tool")
    assert not PrivateImages(program).is_here(images.name_of("tool"))


def test_what_is_gone_already_is_not_kept() -> None:
    images = PrivateImages(Program())
    assert not images.keep("tool")
    assert not images.holds("tool")


def test_an_id_is_no_name() -> None:
    images = PrivateImages(Program(cafe="sha256:0123", other=ID))
    assert not any(images.is_here(name) for name in ("3f", "sha256:3fab", "missing"))
    assert images.is_here("cafe") and images.is_here("other")


@pytest.mark.parametrize(
    ("image", "names"),
    [
        ("busybox:1", ("https://index.docker.io/v1/", "docker.io")),
        ("docker.io/library/busybox", ("https://index.docker.io/v1/", "docker.io")),
        ("group/tool", ("https://index.docker.io/v1/", "docker.io")),
        ("registry.example.org/tool", ("registry.example.org",)),
        ("localhost:5000/tool", ("localhost:5000",)),
    ],
)
def test_a_credential_is_for_the_images_registry_alone(image: str, names: tuple[str, ...]) -> None:
    assert registries(image) == names


def test_a_credential_is_in_a_file_for_us_alone_that_goes() -> None:
    with logged_in("r.example.org/tool", RegistryCredential("alice", "a:b c")) as environment:
        file = Path(environment["DOCKER_CONFIG"]) / "config.json"
        assert environment["REGISTRY_AUTH_FILE"] == str(file)
        assert "a:b c" not in str(environment)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        said = json.loads(file.read_text())["auths"]["r.example.org"]["auth"]
        assert base64.b64decode(said) == b"alice:a:b c"
    assert not file.parent.exists()
