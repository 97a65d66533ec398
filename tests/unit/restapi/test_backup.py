"""A backup is what was there, and comes back as that or not at all."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import os
import sqlite3
import tarfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Conflict, Rejected, Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.keyvalue.port import REVISIONS_BEFORE
from prominence.restapi.adapters import sqlite
from prominence.restapi.backup import main as command
from prominence.restapi.backup import manifest, stored
from prominence.restapi.backup.copying import Source, back_up
from prominence.restapi.backup.manifest import DIRECTORY, FILE, LINK, Cut, Manifest, Member, Order, PartSum
from prominence.restapi.backup.moment import moment
from prominence.restapi.backup.packing import info, member_of, packed
from prominence.restapi.backup.parts import Kind, Part
from prominence.restapi.backup.placing import UNDER_WAY
from prominence.restapi.backup.restoring import Target, restore, verify
from prominence.restapi.backup.users import users_of

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
AD = "ClusterId = 1\n*** Offset = 0 ClusterId = 1\n"
TEXT = st.text(max_size=20)
BIG = 16 * 1024 * 1024 + 1
"""More than is read in one piece."""


@dataclass
class Machine:
    """A control plane's files in a directory, and its store."""

    state: Path
    store: MemoryKeyValue = field(default_factory=lambda: MemoryKeyValue(clock=lambda: 0.0))
    now: datetime = NOON
    users: list[str] = field(default_factory=list)
    without: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        kinds = {
            "usage.db": Kind.DATABASE,
            "queue": Kind.LOGS,
            "events": Kind.LOGS,
            "epochs": Kind.LOGS,
            "store": Kind.STORE,
            "jobs": Kind.TREE,
            "keys": Kind.TREE,
            "revoked.conf": Kind.FILE,
        }
        return tuple(Part(name, kind, self.state / name) for name, kind in kinds.items() if name not in self.without)

    def fill(self) -> Machine:
        for name in ("queue", "events", "epochs", "jobs/uid", "keys"):
            (self.state / name).mkdir(parents=True)
        (self.state / "queue" / "job_queue.log").write_text("107 1 CreationTimestamp 5\n103 1.0 Owner")
        (self.state / "queue" / "history").write_text(AD + "half = ")
        (self.state / "events" / "jobs").write_text('{\n"a": 1\n}\n{\n"b')
        (self.state / "jobs" / "uid" / "stdout").write_bytes(b"done\n")
        (self.state / "jobs" / "uid" / "link").symlink_to("stdout")
        (self.state / "jobs" / os.fsdecode(b"\xff\n")).write_text("")
        (self.state / "keys" / "POOL").write_text("secret")
        (self.state / "keys" / "POOL").chmod(0o400)
        (self.state / "revoked.conf").write_text("# none\n")
        with closing(sqlite3.connect(self.state / "usage.db")) as usage, usage:
            usage.execute("CREATE TABLE attempts (job INTEGER)")
            usage.execute("INSERT INTO attempts VALUES (7)")
        self.store.put_if("/prominence/tokens/issued/ada/1", b"good", None, self.store.lease(3600))
        self.store.put_if("/prominence/scaler/leader", b"me", None, self.store.lease(15))
        self.store.put_if("/prominence/imc/workers/w", b"\x00\xff", None)
        return self

    def back_up(self, file: Path) -> Manifest:
        source = Source(
            parts=self.parts,
            sandboxes=Path("/jobs"),
            room=self.state,
            everything=lambda: self.store.everything(stored.ROOT),
            copy_database=sqlite.copy,
            clock=lambda: self.now,
        )
        with file.open("wb") as stream:
            return back_up(source, stream)

    def target(self) -> Target:
        return Target(self.parts, Path("/jobs"), self.state, self.store, lambda: self.users, lambda: self.now)

    def restore(self, file: Path) -> Sequence[Path]:
        return restore(file, self.target()).aside

    def files(self) -> dict[str, object]:
        """What there is, but for what was put aside and the database, of which its content counts."""
        found: dict[str, object] = {}
        for path in sorted(self.state.rglob("*")):
            if path.is_symlink():
                found[str(path.relative_to(self.state))] = os.readlink(path)
            elif path.is_file() and path.suffix != ".db":
                found[str(path.relative_to(self.state))] = (path.read_bytes(), path.stat().st_mode)
        return found

    def used(self) -> list[int]:
        with closing(sqlite3.connect(self.state / "usage.db")) as usage:
            return [job for (job,) in usage.execute("SELECT job FROM attempts")]


def a_machine(state: Path) -> Machine:
    state.mkdir()
    return Machine(state)


@pytest.fixture
def old(tmp_path: Path) -> Machine:
    return a_machine(tmp_path / "old").fill()


@pytest.fixture
def new(tmp_path: Path) -> Machine:
    return a_machine(tmp_path / "new")


@pytest.fixture
def file(old: Machine, tmp_path: Path) -> Path:
    old.back_up(tmp_path / "backup")
    return tmp_path / "backup"


def a_manifest(*parts: PartSum) -> Manifest:
    return Manifest(version="1", host="h", begun_at=NOON, ended_at=NOON, sandboxes="/jobs", parts=parts)


def a_backup(
    file: Path, *members: tarfile.TarInfo, changed: Callable[[Manifest], Manifest] = lambda told: told
) -> Path:
    """An archive with these members and the store's, whose manifest says so. changed: it says something else."""
    with file.open("wb") as stream, packed(stream) as packer:
        packer.add_text("store", b'{"revision":3}\n')
        for one in members:
            packer.add(one, io.BytesIO(b"x" * one.size))
        packer.finish(changed(a_manifest(*packer.sums())))
    return file


def content_of(archive: bytes) -> list[tuple[Member, bytes]]:
    """All that is in a tar archive, as a restore would have it."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return [(member_of(one), (tar.extractfile(one) or io.BytesIO()).read() if one.isreg() else b"") for one in tar]


class TestThereAndBack:
    def test_what_comes_back_is_what_was_there(self, old: Machine, new: Machine, file: Path) -> None:
        assert new.restore(file) == ()
        before = old.files()
        assert new.files() == {
            **before,
            "queue/job_queue.log": (b"107 1 CreationTimestamp 5\n", 0o100644),
            "queue/history": (AD.encode(), 0o100644),
            "events/jobs": (b'{\n"a": 1\n}\n', 0o100644),
        }
        assert new.used() == [7]

    def test_the_store_has_its_keys_and_leases_again_but_no_signs_of_life(self, new: Machine, file: Path) -> None:
        new.now = NOON + timedelta(minutes=10)
        new.store.put_if("/prominence/kv/keys/ada/later", b"gone", None)
        new.restore(file)
        found = {one.key: (one.value, one.left_s) for one in new.store.everything("/").entries}
        assert found == {
            REVISIONS_BEFORE: (b"3", None),
            "/prominence/tokens/issued/ada/1": (b"good", 3000),
            "/prominence/imc/workers/w": (b"\x00\xff", None),
        }

    def test_what_has_ended_meanwhile_does_not_come_back(self, new: Machine, file: Path) -> None:
        new.now = NOON + timedelta(hours=2)
        new.restore(file)
        assert new.store.get("/prominence/tokens/issued/ada/1") is None

    def test_what_was_there_is_put_aside(self, old: Machine, file: Path) -> None:
        (old.state / "keys" / "POOL").unlink()
        (old.state / "usage.db-wal").write_text("of the old one")
        aside = old.restore(file)
        assert (old.state / "keys" / "POOL").read_text() == "secret"
        assert not (old.state / "usage.db-wal").exists()
        assert {path.name for path in aside} >= {
            "keys.before-20260504T120000",
            "usage.db.before-20260504T120000",
            "usage.db.before-20260504T120000-wal",
        }

    def test_it_says_what_it_does_not_hold(self, old: Machine, new: Machine, tmp_path: Path) -> None:
        (old.state / "jobs" / "passwd").symlink_to("/etc/passwd")
        (old.state / "jobs" / "above").symlink_to("uid/../../keys")
        os.mkfifo(old.state / "jobs" / "pipe")
        told = old.back_up(tmp_path / "backup")
        assert [Path(one.split(":")[0]).name for one in told.left_out] == ["above", "passwd", "pipe"]
        new.restore(tmp_path / "backup")
        assert not any(os.path.lexists(new.state / "jobs" / name) for name in ("above", "passwd", "pipe"))

    def test_what_becomes_a_link_while_it_is_copied_is_not_followed(
        self, old: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stdout, real = old.state / "jobs" / "uid" / "stdout", Path.lstat

        def lstat(path: Path) -> os.stat_result:
            status = real(path)
            if path == stdout and not os.path.islink(stdout):
                stdout.unlink()
                stdout.symlink_to("/etc/passwd")
            return status

        monkeypatch.setattr(Path, "lstat", lstat)
        assert [one.partition(":")[0] for one in old.back_up(tmp_path / "backup").left_out] == [str(stdout)]

    @pytest.mark.parametrize("left", [0, 1, BIG - 1])
    def test_what_becomes_shorter_while_it_is_copied_is_as_long_as_it_was_then(
        self, old: Machine, new: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
    ) -> None:
        stdout, real = old.state / "jobs" / "uid" / "stdout", os.fstat
        stdout.write_bytes(b"x" * BIG)
        os.utime(stdout, (5, 5))

        def fstat(descriptor: int) -> os.stat_result:
            status = real(descriptor)
            if status.st_size == BIG:
                os.truncate(stdout, left)
            return status

        with monkeypatch.context() as changing:
            changing.setattr(os, "fstat", fstat)
            told = old.back_up(tmp_path / "backup")
        assert [(one.name, one.size) for one in told.cut] == [("jobs/uid/stdout", left)]
        assert verify(tmp_path / "backup") == told
        new.restore(tmp_path / "backup")
        came = new.state / "jobs" / "uid" / "stdout"
        assert came.read_bytes() == b"x" * left
        assert came.stat().st_mtime == 5

    def test_a_part_that_was_left_out_is_left_alone(self, old: Machine, new: Machine, tmp_path: Path) -> None:
        old.without = ("jobs",)
        old.back_up(tmp_path / "backup")
        (new.state / "jobs").mkdir()
        (new.state / "jobs" / "kept").touch()
        new.restore(tmp_path / "backup")
        assert (new.state / "jobs" / "kept").exists()


class TestNothingIsTouched:
    """Where it is refused."""

    @pytest.fixture(autouse=True)
    def untouched(self, new: Machine) -> object:
        new.fill()
        before = new.files(), new.store.everything("/")
        yield
        assert (new.files(), new.store.everything("/")) == before

    def test_while_somebody_uses_it(self, new: Machine, file: Path) -> None:
        new.users = ["condor_schedd (7)"]
        with pytest.raises(Conflict, match=r"condor_schedd \(7\)"):
            new.restore(file)

    def test_where_jobs_would_not_find_their_files(self, new: Machine, file: Path) -> None:
        with pytest.raises(Conflict, match="sandboxes_dir"):
            restore(file, Target(new.parts, Path("/other"), new.state, new.store, list, lambda: NOON))

    def test_where_a_part_has_no_place(self, new: Machine, file: Path) -> None:
        new.without = ("revoked.conf",)
        with pytest.raises(Conflict, match="revoked"):
            new.restore(file)

    def test_where_nothing_is_built(self, new: Machine, file: Path) -> None:
        elsewhere = tuple(Part(part.name, part.kind, new.state / "none" / part.name) for part in new.parts)
        with pytest.raises(Conflict, match="none is not there"):
            restore(file, Target(elsewhere, Path("/jobs"), new.state, new.store, list, lambda: NOON))

    @pytest.mark.parametrize("share", [0, 0.3, 0.9, 0.999])
    def test_by_one_that_was_cut_off(self, new: Machine, file: Path, share: float) -> None:
        content = file.read_bytes()
        file.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(Rejected):
            new.restore(file)


def test_one_that_ended_in_the_middle_is_repeated(old: Machine, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (old.state / "keys" / "POOL").unlink()
    (old.state / "keys" / "later").touch()
    real = os.rename
    for steps in itertools.count(1):
        left = [steps]

        def rename(source: Path, target: Path, left: list[int] = left) -> None:
            if not left[0]:
                raise OSError("the power is gone")
            left[0] -= 1
            real(source, target)

        with monkeypatch.context() as failing:
            failing.setattr(os, "rename", rename)
            try:
                old.restore(file)
            except OSError:
                assert (old.state / UNDER_WAY).exists()
                old.now += timedelta(minutes=1)
            else:
                break
    assert steps > 7
    assert not (old.state / UNDER_WAY).exists()
    assert (old.state / "keys" / "POOL").read_text() == "secret"
    assert old.used() == [7]
    # What was there first is what is kept.
    assert [path.name for path in (old.state / "keys.before-20260504T120000").iterdir()] == ["later"]
    assert len(list(old.state.glob("keys.before-*"))) == 1


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_damage_is_found_wherever_it_is(tmp_path_factory: pytest.TempPathFactory, where: float, bit: int) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    members = [info("keys", DIRECTORY, 0o755), info("keys/POOL", FILE, 0o400, 300), info("keys/link", LINK, 0o777)]
    members[2].linkname = "POOL"
    # Without the compression, whose own sum would find it.
    whole = gzip.decompress(a_backup(folder / "whole", *members).read_bytes())
    damaged = bytearray(whole)
    damaged[int(where * len(whole))] ^= 1 << bit
    (folder / "damaged").write_bytes(gzip.compress(bytes(damaged), 1))
    try:
        verify(folder / "damaged")
    except Rejected:
        return
    assert content_of(bytes(damaged)) == content_of(whole)  # a time, or what is behind the end


class TestHostileArchive:
    """Its manifest is its maker's, too, and its sums are right."""

    @pytest.mark.parametrize("name", ["store", "keys", "keys/none", "keys/link", "../etc/passwd", ""])
    def test_what_is_to_be_cut_is_a_file_of_its(self, new: Machine, tmp_path: Path, name: str) -> None:
        members = [info("keys", DIRECTORY, 0o755), info("keys/POOL", FILE, 0o400, 300), info("keys/link", LINK, 0o777)]
        members[2].linkname = "POOL"
        cut = (Cut(name=name, size=1),)
        backup = a_backup(tmp_path / "b", *members, changed=lambda told: told.model_copy(update={"cut": cut}))
        with pytest.raises(Rejected, match="to be cut"):
            new.restore(backup)
        assert list(new.state.iterdir()) == []

    def test_cutting_makes_nothing_longer(self, new: Machine, tmp_path: Path) -> None:
        members = [info("keys", DIRECTORY, 0o755), info("keys/POOL", FILE, 0o400, 300)]
        cut = (Cut(name="keys/POOL", size=2**70),)
        new.restore(a_backup(tmp_path / "b", *members, changed=lambda told: told.model_copy(update={"cut": cut})))
        assert (new.state / "keys" / "POOL").read_bytes() == b"x" * 300

    @pytest.mark.parametrize(
        "name",
        ["../etc/passwd", "/etc/passwd", "keys/../../x", "keys//x", "keys/./x", "..", "keys/..", "other", "nodir/x"],
    )
    def test_a_path_that_leads_elsewhere(self, new: Machine, tmp_path: Path, name: str) -> None:
        backup = a_backup(tmp_path / "b", info("keys", DIRECTORY, 0o755), info(name, FILE, 0o644, 4))
        with pytest.raises((Rejected, Conflict)):
            new.restore(backup)
        assert list(new.state.iterdir()) == []

    @pytest.mark.parametrize("target", ["/etc", "..", "../jobs", "x/../../..", "", "./../x", "a/../b/../../c"])
    def test_a_link_that_leads_out(self, new: Machine, tmp_path: Path, target: str) -> None:
        link = info("keys/link", LINK, 0o777)
        link.linkname = target
        with pytest.raises(Rejected, match="link"):
            new.restore(a_backup(tmp_path / "b", info("keys", DIRECTORY, 0o755), link))
        assert list(new.state.iterdir()) == []

    def test_what_is_beneath_a_link(self, new: Machine, tmp_path: Path) -> None:
        link = info("keys/link", LINK, 0o777)
        link.linkname = "."
        members = [info("keys", DIRECTORY, 0o755), link, info("keys/link/x", FILE, 0o644, 1)]
        with pytest.raises(Rejected, match="directory"):
            new.restore(a_backup(tmp_path / "b", *members))

    def test_a_part_that_is_a_link(self, new: Machine, tmp_path: Path) -> None:
        link = info("keys", LINK, 0o777)
        link.linkname = "jobs"
        with pytest.raises(Rejected, match="link"):
            new.restore(a_backup(tmp_path / "b", link))

    @pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
    def test_what_is_no_file(self, tmp_path: Path, kind: bytes) -> None:
        one = tarfile.TarInfo("keys")
        one.type, one.linkname = kind, "/etc/passwd"
        with tarfile.open(tmp_path / "b", "w:gz") as tar:
            tar.addfile(one)
        with pytest.raises(Rejected, match="neither a file"):
            verify(tmp_path / "b")

    def test_the_same_name_twice(self, tmp_path: Path) -> None:
        members = [info("keys", DIRECTORY, 0o755), info("keys/x", FILE, 0o644, 1), info("keys/x", FILE, 0o644, 1)]
        with pytest.raises(Rejected, match="twice"):
            verify(a_backup(tmp_path / "b", *members))

    def test_sums_that_are_wrong(self, tmp_path: Path) -> None:
        def zeros(told: Manifest) -> Manifest:
            return told.but(parts=tuple(part.but(sha256="0" * 64) for part in told.parts))

        with pytest.raises(Rejected, match="damaged"):
            verify(a_backup(tmp_path / "b", changed=zeros))

    def test_a_part_that_the_manifest_does_not_name(self, tmp_path: Path) -> None:
        with pytest.raises(Rejected, match="does not name it"):
            verify(a_backup(tmp_path / "b", changed=lambda told: told.but(parts=())))

    def test_keys_of_others_in_the_store(self, new: Machine, tmp_path: Path) -> None:
        with (tmp_path / "b").open("wb") as stream, packed(stream) as packer:
            packer.add_text("store", b'{"revision":3}\n{"key":"/registry/x","value":""}\n')
            packer.finish(a_manifest(*packer.sums()))
        with pytest.raises(Rejected, match="not a key of ours"):
            new.restore(tmp_path / "b")
        assert list(new.state.iterdir()) == []

    def test_no_archive_at_all(self, tmp_path: Path) -> None:
        for content in (b"", b"text", gzip.compress(b"text"), gzip.compress(b"\0" * 10240)):
            (tmp_path / "b").write_bytes(content)
            with pytest.raises(Rejected):
                verify(tmp_path / "b")


class TestManifest:
    @given(
        st.builds(
            Manifest,
            version=TEXT,
            host=TEXT,
            begun_at=st.datetimes(timezones=st.just(UTC)),
            ended_at=st.datetimes(timezones=st.just(UTC)),
            sandboxes=TEXT,
            parts=st.lists(
                st.builds(
                    PartSum,
                    name=TEXT,
                    members=st.integers(0, 2**40),
                    bytes=st.integers(0, 2**60),
                    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
                ),
                unique_by=lambda part: part.name,
                max_size=4,
            ).map(tuple),
            left_out=st.lists(TEXT, max_size=3).map(tuple),
        )
    )
    def test_what_is_written_is_what_is_read(self, told: Manifest) -> None:
        assert manifest.read(manifest.written(told)) == told

    @given(
        st.binary(max_size=200)
        | st.recursive(
            st.none() | st.booleans() | st.integers() | TEXT,
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["layout", "parts", "version", "host", "begun_at"]) | TEXT, inner)
            ),
        ).map(lambda document: json.dumps(document).encode())
    )
    def test_anything_else_is_refused(self, content: bytes) -> None:
        with pytest.raises(Rejected):
            manifest.read(content)

    def test_a_flipped_bit_is_found_wherever_it_is(self) -> None:
        whole = manifest.written(a_manifest(PartSum(name="keys", members=1, bytes=0, sha256="0" * 64)))
        for place in range(len(whole) - 1):  # behind the last is the end of the line
            for bit in range(8):
                damaged = bytearray(whole)
                damaged[place] ^= 1 << bit
                with pytest.raises(Rejected):
                    manifest.read(bytes(damaged))

    def test_a_later_layout_is_refused_by_its_version(self) -> None:
        text = json.dumps({"layout": 2, "version": "9.1", "something": "new"}).encode()
        with pytest.raises(Rejected, match=r"layout 2 .* '9\.1'"):
            manifest.read(text)

    @given(st.text(st.sampled_from("ab./\0"), max_size=12), st.text(st.sampled_from("ab./"), max_size=8))
    def test_nothing_that_is_let_in_leads_out(self, name: str, target: str) -> None:
        """As the operating system would have it, with directories where the names say so."""
        order = Order()
        for above in ("a", "a/a", "a/b", "a/a/a", "b"):
            order.check(Member(above, DIRECTORY, 0o755))
        for member in (Member(name, FILE, 0o644), Member(name + "x", LINK, 0o777, target=target)):
            try:
                order.check(member)
            except Rejected:
                continue
            assert os.path.normpath(f"/root/{member.name}") == f"/root/{member.name}"
            if member.kind == LINK:
                beside = os.path.dirname(f"/root/{member.name}")
                assert os.path.normpath(f"{beside}/{target}").startswith(f"/root/{member.part}")


class TestMoment:
    """Of files that are being written."""

    def test_a_queue_that_grows_is_looked_at_again(self, old: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        queue = old.state / "queue" / "job_queue.log"
        real, times = os.fstat, [0]

        def busy(descriptor: int) -> os.stat_result:
            times[0] += 1
            if times[0] < 30:
                with queue.open("a") as log:
                    log.write("\n103 1.0 A 1\n")
            return real(descriptor)

        monkeypatch.setattr(os, "fstat", busy)
        with moment(queue.parent, [old.state / "events"]) as files:
            monkeypatch.undo()
            assert files[queue].size == queue.stat().st_size
        assert times[0] > 30

    def test_one_that_never_rests_is_given_up(self, old: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        queue = old.state / "queue" / "job_queue.log"
        real = os.fstat

        def busy(descriptor: int) -> os.stat_result:
            with queue.open("a") as log:
                log.write("\n103 1.0 A 1\n")
            return real(descriptor)

        monkeypatch.setattr(os, "fstat", busy)
        with pytest.raises(Unavailable), moment(queue.parent, []):
            pass

    def test_what_comes_later_and_another_name_change_nothing(self, old: Machine) -> None:
        history = old.state / "queue" / "history"
        with moment(history.parent, []) as files:
            history.rename(history.with_name("history.1"))
            history.write_text("new")
            frozen = files[history]
            assert frozen.stream.read(frozen.size) == AD.encode()


def test_who_has_files_open_is_named(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w"):
        assert users_of([tmp_path]) == []  # we ourselves
    processes = tmp_path / "proc"
    for number, opened in ((7, "/state/log/x"), (8, "/state/etcd/db"), (9, "/other"), (10, "socket:[1]")):
        (processes / str(number) / "fd").mkdir(parents=True)
        (processes / str(number) / "fd" / "0").symlink_to(opened)
        (processes / str(number) / "cwd").symlink_to("/")
        (processes / str(number) / "comm").write_text(f"p{number}\n")
    (processes / "11").mkdir()
    assert users_of([Path("/state")], [Path("/state/etcd")], processes) == ["p7 (7)"]


def test_what_cannot_be_read_or_written_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["verify", str(tmp_path / "nowhere")]) == 1
    (tmp_path / "backup").write_text("of yesterday")
    with pytest.raises(Conflict, match=r"backup is there already\.$"), command._written_to(str(tmp_path / "backup")):
        pass
    assert capsys.readouterr().err == f"prominence-admin: {tmp_path / 'nowhere'}: No such file or directory.\n"
