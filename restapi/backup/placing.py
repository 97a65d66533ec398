"""What is put back, beside what is there, and then in its place: all of it is on the disk before anything is moved.

What was there stays beside it under another name. How far a restore has got is seen by these names, so one that ended
in the middle is simply repeated.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from prominence.core.errors import Conflict, Rejected
from prominence.restapi.backup import owners, packing
from prominence.restapi.backup.manifest import DIRECTORY, LINK, Member
from prominence.restapi.backup.parts import Kind, Part

UNDER_WAY = "restoring.json"
"""In the state while what is there is neither the old nor the new."""

_BESIDE_DATABASES = ("-wal", "-shm")


@dataclass(frozen=True)
class Stage:
    """Where a part is made before it goes to its place."""

    part: Part

    @property
    def folder(self) -> Path:
        """Beside the place, so that moving it there is one step."""
        return self.part.place.with_name(f".{self.part.place.name}.restoring")

    def empty(self) -> None:
        """Begin anew. Raises Conflict where it could not be moved, OSError."""
        if self.part.place.is_mount():
            raise Conflict(
                f"{self.part.place} is a file system of its own, and cannot be replaced as a whole: mount it elsewhere "
                "for the time of the restore."
            )
        if not self.part.place.parent.is_dir():
            raise Conflict(
                f"{self.part.place.parent} is not there: build the control plane first, by ansible/site.yml or "
                "prominence pool up."
            )
        _remove(self.folder)

    def place_one(self, member: Member, told: tarfile.TarInfo, content: IO[bytes] | None) -> None:
        """Make a member. Nothing that is there already is opened or followed. Raises OSError."""
        path = self.folder / member.path if member.path else self.folder
        if member.kind == DIRECTORY:
            path.mkdir(mode=0o700)
        elif member.kind == LINK:
            path.symlink_to(member.target)
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(path, flags, 0o600), "wb") as file:
                for piece in packing.pieces(content) if content else ():
                    file.write(piece)
        if os.geteuid() == 0:
            os.chown(path, *owners.numbers(told.uname, told.gname, told.uid, told.gid), follow_symlinks=False)
        if member.kind != LINK:
            os.chmod(path, member.mode)
        if member.kind not in (LINK, DIRECTORY):
            os.utime(path, ns=(int(told.mtime * 1e9), int(told.mtime * 1e9)))

    def cut(self, path: str, size: int) -> None:
        """Make a file of it as short as it was. Raises OSError."""
        file = self.folder / path
        status = file.lstat()
        os.truncate(file, min(size, status.st_size))
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    def is_there(self) -> bool:
        """Whether anything of it was made."""
        return os.path.lexists(self.folder)

    def there(self, stamp: str) -> list[Path]:
        """What this machine has of it: in its place, and put aside by a restore of this stamp that did not end."""
        return [self.part.place, _aside(self.part.place, "", stamp)]

    def into_place(self, stamp: str) -> list[Path]:
        """Put what is there aside, and this in its place; what was put aside. Raises OSError."""
        place = self.part.place
        besides = _BESIDE_DATABASES if self.part.kind is Kind.DATABASE else ()
        aside = [found for suffix in (*besides, "") if (found := _put_aside(place, suffix, stamp))]
        os.rename(self.folder, place)
        return aside


def _put_aside(place: Path, suffix: str, stamp: str) -> Path | None:
    path, aside = place.with_name(place.name + suffix), _aside(place, suffix, stamp)
    if not os.path.lexists(path):
        return aside if os.path.lexists(aside) else None
    if os.path.lexists(aside):  # it was put aside before; this was put back by a restore that did not end
        _remove(path)
    else:
        os.rename(path, aside)
    return aside


def _aside(place: Path, suffix: str, stamp: str) -> Path:
    return place.with_name(f"{place.name}.before-{stamp}{suffix}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Mark:
    """That a restore has begun, and has not ended. state: the directory that it is in."""

    state: Path

    @property
    def file(self) -> Path:
        """In which it stands."""
        return self.state / UNDER_WAY

    def begun(self) -> str | None:
        """The stamp of the one that has begun. Raises Rejected, OSError."""
        try:
            stamp = json.loads(self.file.read_text())["stamp"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise Rejected.because("cannot be read; remove it if no restore is under way", str(self.file)) from error
        if not isinstance(stamp, str) or not stamp.isalnum():
            raise Rejected.because("holds no stamp; remove it if no restore is under way", str(self.file))
        return stamp

    def begin(self, stamp: str) -> None:
        """From now on the state is of no use until a restore has ended."""
        new = self.file.with_suffix(".new")
        with open(new, "w") as file:
            json.dump({"stamp": stamp}, file)
            file.flush()
            os.fsync(file.fileno())
        new.rename(self.file)

    def end(self) -> None:
        """It is of use again."""
        os.sync()
        self.file.unlink()
