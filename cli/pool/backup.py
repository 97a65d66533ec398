"""A personal pool's backup: made in its access point while it runs, put back by another container while it is down."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, cast

import docker
from docker.errors import ContainerError
from docker.models.containers import Container

from prominence.cli.pool.bring_up import alone, read_settings
from prominence.cli.pool.containers import ACCESS_POINT, IMC, WORKER, containers, refuse_anothers
from prominence.cli.pool.errors import PoolError
from prominence.cli.pool.layout import Pool
from prominence.core.newfile import new_file

_ADMIN = "/opt/prominence/bin/prominence-admin"
_RESTORE = "/opt/prominence/bin/restore-access-point"
_MADE, _GIVEN = "/var/tmp/backup", "/backup"


def back_up(engine: docker.DockerClient, pool: Pool, file: Path) -> str:
    """Write it to `file`, for its owner alone; what there is to say. Raises PoolError, OSError."""
    refuse_anothers(engine, pool)
    try:
        with alone(pool), new_file(file) as target:
            return _fetched(_access_point(engine, pool), target)
    except FileExistsError as error:
        raise PoolError(str(error)) from error


def _access_point(engine: docker.DockerClient, pool: Pool) -> Container:
    running = next((one for one in containers(engine, pool, ACCESS_POINT) if one.status == "running"), None)
    if running is None:
        raise PoolError(f"The pool {pool.name!r} is not running; a backup is made of one that is: {pool.command('up')}")
    return running


def _fetched(container: Container, target: IO[bytes]) -> str:
    """Made there and written here; what there is to say.

    It is fetched by itself: what a command prints comes over a connection that may lose some of it.
    """
    clean_up = partial(_inside, container, "rm", "--force", _MADE)
    clean_up()  # after a command that was killed
    try:
        said = _inside(container, _ADMIN, "backup", _MADE)
        pieces, _ = container.get_archive(_MADE)
        with _in_archive(pieces) as content:
            shutil.copyfileobj(content, target, _Pieces.SIZE)
    except tarfile.TarError as error:
        raise PoolError(f"The backup did not come as a whole: {error}") from error
    finally:
        clean_up()
    return said


def put_back(engine: docker.DockerClient, pool: Pool, file: Path, images: Callable[[], Mapping[str, str]]) -> str:
    """The state is that of the backup; what there is to say. May be repeated. Raises PoolError.

    images: makes those that are missing, and tells them by their roles.
    """
    refuse_anothers(engine, pool)
    if read_settings(pool) is None:
        raise PoolError(
            f"There is no pool {pool.name!r}. Make it, to put a backup there: {pool.command('up')}, then down"
        )
    with alone(pool):
        if containers(engine, pool, ACCESS_POINT, IMC, WORKER):
            raise PoolError(f"The pool {pool.name!r} runs. Stop it first: {pool.command('down')}")
        image = images()["access-point"]
        where, given = str(pool.state), str(file.resolve())
        try:
            said = engine.containers.run(
                image,
                [_RESTORE, _GIVEN],
                remove=True,
                network_mode="none",
                environment={"PROMINENCE_STATE": where},
                volumes={where: {"bind": where, "mode": "rw"}, given: {"bind": _GIVEN, "mode": "ro"}},
            )
        except ContainerError as error:
            raise PoolError(_text(error.stderr)) from error
    return _text(said)


def _inside(container: Container, *command: str) -> str:
    done = container.exec_run(list(command))
    if done.exit_code != 0:
        raise PoolError(_text(done.output) or f"{command[0]} ended with {done.exit_code}")
    return _text(done.output)


@contextmanager
def _in_archive(pieces: Iterable[bytes]) -> Iterator[IO[bytes]]:
    """The one file of an archive that comes in pieces."""
    with tarfile.open(fileobj=cast(IO[bytes], _Pieces(pieces)), mode="r|", bufsize=_Pieces.SIZE) as tar:
        content = next(filter(None, map(tar.extractfile, tar)), None)
        if content is None:
            raise tarfile.ReadError("nothing is in it")
        yield content


class _Pieces:
    """A file of pieces that come one after the other."""

    SIZE = 1024 * 1024

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self._left = iter(pieces), b""

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (piece := next(self._pieces, b"")):
            self._left += piece
        found, self._left = self._left[:size], self._left[size:]
        return found


def _text(said: object) -> str:
    return said.decode(errors="replace").strip() if isinstance(said, bytes) else str(said or "")
