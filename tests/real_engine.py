"""A Docker engine of a test's own, which may be stopped, killed and started again without harm to anybody else's.

It has a socket, data and processes of its own, and lives in a network namespace of its own: engines that share one
take each other's packet filters away. containerd runs beside it, as on most machines, and outlives it.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from real_parts import until

_CLONE_NEWNET = 0x40000000
_START_S = 60


class OwnEngine:
    """An engine in `directory`, which must have a short path: sockets are in there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "docker.sock"
        self.url = f"unix://{self.socket}"
        # Keeps the namespace while the engine is away.
        self._keeper = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        until(lambda: self._namespace() != os.readlink("/proc/self/ns/net"), 10)
        subprocess.run(self._entering(["ip", "link", "set", "lo", "up"]), check=True)
        self._containerd = self._launch(["containerd", "--config", str(self._configuration())])
        self._engine: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it; it answers when this returns. options: what is different from the last time."""
        command = ["dockerd", "--host", self.url, "--pidfile", f"{self.directory}/pid", "--bridge", "none"]
        command += ["--data-root", f"{self.directory}/data", "--exec-root", f"{self.directory}/exec"]
        command += ["--default-address-pool", "base=10.213.0.0/16,size=24"]
        command += ["--containerd", f"{self.directory}/containerd.sock", *options]
        self._engine = self._launch(command)
        until(self._answers, _START_S, lambda: (self.directory / "log").read_text()[-3000:])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal, and wait for its end."""
        if self._engine is not None:
            self._engine.send_signal(number)
            self._engine.wait(60)
            self._engine = None

    def copy(self, images: list[str]) -> None:
        """Give it images of the machine's engine."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved:
            subprocess.run(["docker", "--host", self.url, "load", "--quiet"], stdin=saved.stdout, check=True)
        assert saved.returncode == 0

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, and what it starts, is in the engine's network, where its containers' ports are published."""
        with open("/proc/thread-self/ns/net") as here, open(f"/proc/{self._keeper.pid}/ns/net") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

    def close(self) -> None:
        """End it with all that it runs, and remove what it kept."""
        self.stop()
        self.start()  # which ends containers that outlived it
        self.stop()
        for process in (self._containerd, self._keeper):
            process.terminate()
            process.wait(60)
        while subprocess.run(["umount", f"{self.directory}/data"], capture_output=True, check=False).returncode == 0:
            pass  # each of its lives may have left a mount

    def _namespace(self) -> str:
        return os.readlink(f"/proc/{self._keeper.pid}/ns/net")

    def _entering(self, command: list[str]) -> list[str]:
        # Not by `ip netns exec`: it mounts another /sys, in which there are no cgroups.
        return ["nsenter", f"--net=/proc/{self._keeper.pid}/ns/net", *command]

    def _launch(self, command: list[str]) -> subprocess.Popen[bytes]:
        with open(self.directory / "log", "ab") as log:
            return subprocess.Popen(self._entering(command), stdout=log, stderr=log)

    def _configuration(self) -> Path:
        """containerd's."""
        file = self.directory / "containerd.toml"
        file.write_text(
            f'version = 2\nroot = "{self.directory}/containerd"\nstate = "{self.directory}/run"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f'[grpc]\naddress = "{self.directory}/containerd.sock"\n'
        )
        return file

    def _answers(self) -> bool:
        assert self._engine is not None and self._engine.poll() is None, (self.directory / "log").read_text()[-3000:]
        asked = subprocess.run(["docker", "--host", self.url, "version"], capture_output=True, check=False)
        return asked.returncode == 0


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """A new engine without images, started."""
    directory = Path(tempfile.mkdtemp(prefix="prominence-"))
    engine = OwnEngine(directory)
    try:
        engine.start()
        yield engine
    finally:
        engine.close()
        shutil.rmtree(directory)


def _enter(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
