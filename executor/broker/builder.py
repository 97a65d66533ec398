"""Makes an image of Apptainer's of what is in a registry or a file, or fetches a file, as an account of its own.

What registries send is anybody's work, and is unpacked here: neither root does that, nor a slot's account, which might
have it done in another way. Each of some accounts builds one image at a time, in a directory of its own.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import IO, Callable, Dict, Iterator, List, Tuple

from prominence.executor import diskuse, proxies
from prominence.executor.broker import ending, fetcher, log
from prominence.executor.broker.enginesocket import HangUp
from prominence.executor.broker.pulls import NotKept, PullFailed

_KEPT = 16 * 1024
"""Bytes of what it says last."""
_LONGEST_TAG = 1024
_PROCESSES = 512


class Builder:
    """`cache.Build` with Apptainer, `webfiles.Fetch` and `webfiles.Make`. most_kib: of one build.

    uids: of the accounts, one for each build at a time. Nothing may run as the account that comes after them.
    """

    def __init__(self, builds: str, uids: range, most_kib: int) -> None:
        self._builds = builds
        self._most_kib = most_kib
        self._ender = uids.stop
        self._free: queue.Queue[int] = queue.Queue()
        for uid in uids:
            self._free.put(uid)

    def end_all(self) -> None:
        """Whatever runs as one of the accounts: after a broker that died."""
        for uid in [self._free.get_nowait() for _ in range(self._free.qsize())]:
            self._end_all_of(uid)
            self._give_back(uid)

    def build(self, image: str, key: str, hang_up: HangUp) -> str:
        """See `cache.Build`."""
        through = _proxies()
        with self._account() as uid:
            directory = self._directory(key, uid)
            file = f"{directory}/image.sif"
            exit_code, said = self._run(pull_command(image, file), b"", directory, through, uid, hang_up)
        if exit_code != 0:
            raise failure(proxies.hidden(said, through).strip())
        return file

    def fetch(self, url: str, key: str, hang_up: HangUp) -> Tuple[str, str]:
        """See `webfiles.Fetch`."""
        with self._account() as uid:
            directory = self._directory(key, uid)
            told = fetcher.told(url, self._most_kib * 1024)
            # As the job itself would: through no proxy, which is there for images of registries alone.
            exit_code, said = self._run(limited(fetcher.command()), told, directory, {}, uid, hang_up)
            if exit_code != 0:
                raise failure(said.strip())
            return f"{directory}/{fetcher.FILE}", _tag(f"{directory}/{fetcher.TAG}")

    def make(self, archive: str, key: str, hang_up: HangUp) -> str:
        """See `webfiles.Make`."""
        with self._account() as uid:
            directory = self._directory(key, uid)
            file = f"{directory}/image.sif"
            exit_code, said = self._run(make_command(archive, file), b"", directory, {}, uid, hang_up)
        if exit_code != 0:
            raise failure(said.strip())
        return file

    @contextmanager
    def _account(self) -> Iterator[int]:
        """One of them, for this alone. Raises NotKept."""
        try:
            uid = self._free.get_nowait()
        except queue.Empty as error:  # nobody waits for a registry that stalls for others
            raise NotKept("as many images are being made as can be at once") from error
        try:
            yield uid
        except OSError as error:
            raise NotKept(f"no image can be made here: {error.strerror}") from error
        finally:
            self._give_back(uid)

    def _end_all_of(self, uid: int) -> bool:
        return ending.end_all_of(uid, self._ender)

    def _give_back(self, uid: int) -> None:
        """What outlives its build must not get at another's."""
        if ending.anything_of(uid):
            log.warning("account not used any more, as its processes do not end", uid=uid)
        else:
            self._free.put(uid)

    def _directory(self, key: str, uid: int) -> str:
        """For what an account makes. Raises OSError."""
        parent = f"{self._builds}/{key}"
        directory = f"{parent}/work"
        os.mkdir(parent, 0o711)
        os.chmod(parent, 0o711)  # whatever the umask
        os.mkdir(directory, 0o700)
        os.chown(directory, uid, uid)
        return directory

    def _run(
        self, command: List[str], told: bytes, directory: str, through: Dict[str, str], uid: int, hang_up: HangUp
    ) -> Tuple[int, str]:
        """The exit code of a program that is run in there, and what it says last. told: what it is told on stdin.

        Raises NotKept, OSError.
        """
        program = subprocess.Popen(
            command,
            cwd=directory,
            env=environment(directory, through),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            user=uid,
            group=uid,
            extra_groups=[],
        )
        watch = diskuse.Watch(
            lambda: diskuse.used_kib([directory], self._most_kib), self._most_kib, lambda: self._end_all_of(uid)
        )
        end = _End(lambda: self._end_all_of(uid))
        try:
            hang_up.watch(end)
            _tell(program, told)
            said = _last_words(program)
        finally:
            watch.stop()
            end.over()  # the account is another build's soon
            ended = self._end_all_of(uid)
            os.chown(directory, 0, 0)
            os.chmod(directory, 0o700)
            exit_code = program.wait()
        if not ended:
            raise NotKept("what makes images does not end")
        if watch.exceeded:
            raise NotKept("it takes more room than this worker has for images")
        return exit_code, said


def limited(command: List[str]) -> List[str]:
    """The command, with few processes and no cores."""
    return ["prlimit", f"--nproc={_PROCESSES}:{_PROCESSES}", "--core=0:0", "--", *command]


def pull_command(image: str, file: str) -> List[str]:
    """What fetches an image, known by its digest, into a file."""
    return limited(["apptainer", "pull", "--force", "--disable-cache", file, f"docker://{image}"])


def make_command(archive: str, file: str) -> List[str]:
    """What makes an image of what docker has saved."""
    return limited(["apptainer", "build", "--force", file, f"docker-archive:{archive}"])


def environment(directory: str, through: Dict[str, str]) -> Dict[str, str]:
    """All that it has. through: the worker's proxies."""
    places = {name: directory for name in ("HOME", "TMPDIR", "APPTAINER_TMPDIR", "APPTAINER_CACHEDIR")}
    return {"PATH": os.environ.get("PATH", os.defpath), **places, **through}


def failure(said: str) -> PullFailed:
    """Why an image was not made, by what the program says last."""
    no_room = any(os.strerror(error).lower() in said.lower() for error in diskuse.FULL)
    return (NotKept if no_room else PullFailed)(said or "nobody says why")


class _End:
    """What a hang-up shuts down, in the place of a connection."""

    def __init__(self, end_all: Callable[[], object]) -> None:
        self._end_all = end_all
        self._over = False
        self._lock = threading.Lock()

    def shutdown(self, how: int, /) -> None:
        with self._lock:
            if not self._over:
                self._end_all()

    def over(self) -> None:
        """From now on nothing is ended."""
        with self._lock:
            self._over = True


def _proxies() -> Dict[str, str]:
    try:
        return proxies.variables()
    except (OSError, ValueError) as error:
        raise PullFailed("the worker's list of proxies cannot be read") from error


def _tell(program: subprocess.Popen[bytes], told: bytes) -> None:
    assert program.stdin is not None
    with suppress(BrokenPipeError), program.stdin:  # it has ended already, and says why
        program.stdin.write(told)


def _tag(file: str) -> str:
    """What the program has written there, if that can be one: it is not to be believed about what it leaves."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with open(descriptor, "rb") as opened:
        text = opened.read(_LONGEST_TAG + 1).decode("ascii", "replace")
    return text if len(text) <= _LONGEST_TAG and text.isprintable() else ""


def _last_words(program: subprocess.Popen[bytes]) -> str:
    """The end of its stderr, once it has ended. What it has left running may hold the pipe open."""
    kept = bytearray()

    def read(pipe: IO[bytes]) -> None:
        with pipe:
            for data in iter(lambda: os.read(pipe.fileno(), _KEPT), b""):
                kept.extend(data)
                del kept[:-_KEPT]

    assert program.stderr is not None
    reader = threading.Thread(target=read, args=(program.stderr,), daemon=True)
    reader.start()
    program.wait()
    reader.join(1)
    return kept.decode(errors="replace")
