"""Images of the pool, built on this machine from the recipes that come with the package.

An image's tag is a digest of everything that went into it, so that nothing is built twice and nothing old is used.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import IO

import docker
from docker.errors import APIError, BuildError, ImageNotFound

from prominence.cli.pool.base_image import ensure_base_image
from prominence.cli.pool.errors import PoolError
from prominence.cli.pool.layout import DIGEST_LABEL, ROLE_LABEL
from prominence.cli.pool.site import cache, ensure_site
from prominence.cli.turns import one_at_a_time
from prominence.cli.worker.programs import pack_executor
from prominence.core import pulled

Say = Callable[[str], None]

SERVICE_PACKAGES = ("core", "restapi", "scaler", "imc")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy")
BUILD_TIMEOUT_S = 1800


@dataclass
class Context:
    """What a build is given: files by path, and whole trees that have a digest of their own."""

    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    trees: dict[str, tuple[str, Path]] = field(default_factory=dict)

    def digest(self, parent: str) -> str:
        """Changes whenever anything that goes into the image does."""
        sum_ = hashlib.sha256(parent.encode())
        for path, (mode, content) in sorted(self.files.items()):
            sum_.update(f"\0{path}\0{mode:o}\0{len(content)}\0".encode() + content)
        for path, (digest, _) in sorted(self.trees.items()):
            sum_.update(f"\0{path}\0{digest}".encode())
        return sum_.hexdigest()[:16]

    def write_to(self, stream: IO[bytes]) -> None:
        """As the tar archive that the engine wants."""
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for path, (mode, content) in sorted(self.files.items()):
                entry = tarfile.TarInfo(path)
                entry.mode, entry.size = mode, len(content)
                archive.addfile(entry, io.BytesIO(content))
            for path, (_, tree) in sorted(self.trees.items()):
                archive.add(tree, path, filter=_for_everybody)


def ensure_images(engine: docker.DockerClient, say: Say, ca_bundle: Path | None) -> dict[str, str]:
    """Image of each recipe, by role, built where it is missing. Raises PoolError."""
    with one_at_a_time(cache() / "images.lock"):  # what another `up` builds at the moment is not built twice
        base_id = ensure_base_image(engine, say)
        images = {"base": _ensure(engine, "base", _base_context(ca_bundle), base_id, say)}
        for role, context in (
            ("access-point", _access_point_context()),
            ("imc", _service_context("imc", ("imc", "clouds"))),
            ("worker", _worker_context()),
        ):
            images[role] = _ensure(engine, role, context, images["base"], say)
        return images


def present_images(engine: docker.DockerClient) -> list[str]:
    """Tags of all images that were built from the recipes, whichever version of them."""
    tags = [tag for image in engine.images.list(filters={"label": DIGEST_LABEL}) for tag in image.tags]
    return sorted(tag for tag in tags if tag.startswith("prominence-"))


def remove_images(engine: docker.DockerClient, say: Say) -> None:
    """Remove them. One that a container still uses stays, and is named."""
    # Children before the base they are made from.
    for tag in sorted(present_images(engine), key=lambda tag: tag.startswith("prominence-base:")):
        try:
            say(f"Removing image {tag}")
            engine.images.remove(tag)
        except APIError as error:
            say(f"  it stays: {error.explanation}")


def forget_pulled(engine: docker.DockerClient, pool: str) -> None:
    """Take away the names by which the pool's workers knew what jobs had pulled; the images stay, as anybody's."""
    for tag in (tag for image in engine.api.images() for tag in image["RepoTags"] or ()):
        if pulled.pool_of(tag) == pool:
            with suppress(ImageNotFound):  # a worker was faster
                engine.images.remove(tag)


def _ensure(engine: docker.DockerClient, role: str, context: Context, parent: str, say: Say) -> str:
    digest = context.digest(parent)
    tag = f"prominence-{role}:{digest}"
    try:
        engine.images.get(tag)
        return tag
    except ImageNotFound:
        say(f"Building image {tag} (once; kept for later)")
    with tempfile.TemporaryFile() as archive:
        context.write_to(archive)
        archive.seek(0)
        _build(engine, archive, tag, {ROLE_LABEL: role, DIGEST_LABEL: digest}, parent, say)
    return tag


def _build(
    engine: docker.DockerClient,
    archive: IO[bytes],
    tag: str,
    labels: dict[str, str],
    parent: str,
    say: Say,
) -> None:
    output = []
    try:
        for event in engine.api.build(
            fileobj=archive,
            custom_context=True,
            tag=tag,
            labels=labels,
            buildargs={"BASE": parent, **proxies(os.environ)},
            rm=True,
            forcerm=True,
            decode=True,
            timeout=BUILD_TIMEOUT_S,
        ):
            text = event.get("stream", "").strip()
            output.append(text or event.get("error", ""))
            if text.startswith("Step "):
                say(f"  {text[:100]}")
            if "error" in event:
                raise PoolError(f"The image {tag} could not be built:\n" + "\n".join(output[-15:]))
    except (APIError, BuildError) as error:
        raise PoolError(f"The image {tag} could not be built: {error}") from error


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The user's proxies under the names that apt knows; many set the ones in capitals only."""
    found = {name: environment.get(name) or environment.get(name.upper()) for name in PROXY_VARIABLES}
    return {name: value for name, value in found.items() if value}


def recipes_of_a_worker() -> tuple[Context, Context]:
    """That of all machines and that of a worker, for machines that are no containers."""
    return _recipe("base"), _worker_context()


def recipes_of_the_control_plane(python: str) -> tuple[Context, Context]:
    """That of all machines, and one of access point and imc together, for a machine with this version of Python."""
    together = _product_context("access-point")
    together.files["executor.pyz"] = (0o755, _packed_executor())
    # One set of packages for all services of the machine.
    together.trees["site"] = ensure_site(("restapi", "scaler", "imc", "clouds"), python)
    together.files["bin/prominence-imc"] = _recipe("imc").files["bin/prominence-imc"]
    return _recipe("base"), together


def _base_context(ca_bundle: Path | None) -> Context:
    context = _recipe("base")
    context.files["ca/.keep"] = (0o644, b"")
    if ca_bundle is not None:
        context.files["ca/ca-certificates.crt"] = (0o644, ca_bundle.read_bytes())
    return context


def _service_context(role: str, extras: tuple[str, ...]) -> Context:
    """A recipe with the product's packages, and what these extras of it need from others."""
    context = _product_context(role)
    context.trees["site"] = ensure_site(extras)
    return context


def _product_context(role: str) -> Context:
    context = _recipe(role)
    for package in SERVICE_PACKAGES:
        for path, content in _python_files(package):
            context.files[f"lib/prominence/{package}/{path}"] = (0o644, content)
    # What importlib.metadata needs to tell the version; the rest is written differently by each way to install us.
    metadata = f"Metadata-Version: 2.1\nName: prominence-htc\nVersion: {version('prominence-htc')}\n"
    context.files["lib/prominence_htc.dist-info/METADATA"] = (0o644, metadata.encode())
    return context


def _access_point_context() -> Context:
    context = _service_context("access-point", ("restapi", "scaler", "elasticsearch"))
    context.files["executor.pyz"] = (0o755, _packed_executor())
    return context


def _worker_context() -> Context:
    context = _recipe("worker")
    context.files["executor.pyz"] = (0o755, _packed_executor())
    context.files["broker.pyz"] = (0o755, _packed_executor("--broker"))
    return context


def _packed_executor(*options: str) -> bytes:
    """The executor as one file."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "packed.pyz"
        pack_executor(target, *options)
        return target.read_bytes()


def _recipe(role: str) -> Context:
    folder = Path(str(files("prominence.images"))) / role
    return Context({path: (mode, content) for path, mode, content in _files_below(folder)})


def _files_below(folder: Path) -> Iterator[tuple[str, int, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            relative = str(path.relative_to(folder))
            # A wheel does not always keep the executable bit; what is in bin/ is there to be run.
            yield relative, 0o755 if relative.startswith("bin/") else 0o644, path.read_bytes()


def _python_files(package: str) -> Iterator[tuple[str, bytes]]:
    folder = Path(str(files(f"prominence.{package}")))
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            yield str(path.relative_to(folder)), path.read_bytes()


def _for_everybody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Root's, and readable by the services' accounts, whatever the umask under which it was made."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    entry.mtime = 0  # so that the same files make the same archive
    return entry
