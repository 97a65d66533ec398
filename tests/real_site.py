"""Some bare Debian hosts in containers, with systemd and a door for SSH, on a network of their own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import docker
from docker.models.containers import Container
from patience import PATIENCE
from real_parts import run_inside, until

from prominence.cli.pool.base_image import ensure_base_image

ANSIBLE = Path(__file__).parents[1] / "ansible"
IMAGE = "prominence-test/host"
CONTROL, NODES = "control", ("node-1", "node-2")


class Places(NamedTuple):
    """Which hosts are in which group of the inventory. Nobody but workers takes jobs."""

    central_manager: tuple[str, ...]
    access_point: tuple[str, ...]
    scaler: tuple[str, ...]
    imc: tuple[str, ...]
    etcd: tuple[str, ...]
    workers: tuple[str, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(dict.fromkeys(host for group in self for host in group))


ONE_CONTROL = Places(*[(CONTROL,)] * 5, workers=NODES)

PACKAGES = (
    "apptainer ca-certificates condor etcd-server fuse-overlayfs fuse3 nftables procps prometheus"
    " prometheus-node-exporter rclone squashfuse"
)
SID = "deb [check-valid-until=no] http://deb.debian.org/debian sid main"
"""A mirror's lists of the unstable suite may be some days old."""

# What a site installs before anybody thinks of a pool. Packages that the roles install are fetched, and no more: the
# roles' own work stays theirs.
_BARE = """
FROM debian:{suite}-slim
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install --yes --no-install-recommends \\
        curl dbus iproute2 openssh-server python3 python3-apt systemd systemd-sysv \\
    && systemctl mask systemd-modules-load.service
"""
_FETCHED = f"""
RUN echo "{SID}" > /etc/apt/sources.list.d/later.list \\
    && printf 'Package: *\\nPin: release a=unstable\\nPin-Priority: 100\\n' > /etc/apt/preferences.d/later \\
    && apt-get update && apt-get install --yes --no-install-recommends --download-only {PACKAGES} \\
    && rm /etc/apt/sources.list.d/later.list /etc/apt/preferences.d/later
"""
_STARTED = """
STOPSIGNAL SIGRTMIN+3
CMD ["/lib/systemd/systemd"]
"""
DEBIAN_12, DEBIAN_13 = "bookworm", "trixie"
RECIPES = {DEBIAN_12: _BARE + _STARTED, DEBIAN_13: _BARE + _FETCHED + _STARTED}
# systemd says that it will do without the old kind of control groups one day, and wants to be told to go on.
OLD_CGROUPS = "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"


class Hosts:
    """To be closed. folder: for keys, the inventory and what Ansible keeps. suite: of Debian."""

    def __init__(
        self, engine: docker.DockerClient, folder: Path, places: Places = ONE_CONTROL, suite: str = DEBIAN_13
    ) -> None:
        self.engine, self.folder, self.places, self.suite = engine, folder, places, suite
        self.name = f"prominence-site-{uuid.uuid4().hex[:8]}"
        self.network = engine.networks.create(self.name, driver="bridge")
        self.containers: dict[str, Container] = {}

    def start(self) -> None:
        """All of them, so that one can log in."""
        ensure_base_image(self.engine, print, self.suite)
        recipe = RECIPES[self.suite].format(suite=self.suite)
        image, _ = self.engine.images.build(
            fileobj=io.BytesIO(recipe.encode()), tag=f"{IMAGE}:{self.suite}", rm=True, forcerm=True
        )
        key = self.folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        for name in self.places.hosts:
            self.containers[name] = self._start(name, str(image.id))
        for container in self.containers.values():
            until(lambda one=container: run_inside(one, ["systemctl", "is-active", "ssh"])[0] == 0, 60)
            public = key.with_suffix(".pub").read_text().strip()
            script = 'install -d -m 0700 /root/.ssh && echo "$0" > /root/.ssh/authorized_keys'
            assert run_inside(container, ["sh", "-c", script, public])[0] == 0

    def _start(self, name: str, image: str) -> Container:
        old = self.engine.info().get("CgroupVersion") == "1"
        return self.engine.containers.run(
            image,
            name=f"{self.name}-{name}",
            hostname=name,
            detach=True,
            network=self.name,
            cap_add=["ALL"],
            cap_drop=["SYS_RESOURCE"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            devices=["/dev/fuse"],
            tmpfs={"/run": "exec", "/run/lock": ""},
            volumes={"/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "ro" if old else "rw"}},
            environment={"container": "docker", **({"SYSTEMD_PROC_CMDLINE": OLD_CGROUPS} if old else {})},
            networking_config={self.name: docker.types.EndpointConfig(self.engine.api.api_version, aliases=[name])},
        )

    def close(self) -> None:
        """None of them is left."""
        for container in self.containers.values():
            container.remove(force=True, v=True)
        self.network.remove()

    def address(self, name: str) -> str:
        """On their network, which this machine reaches."""
        container = self.containers[name]
        container.reload()
        return str(container.attrs["NetworkSettings"]["Networks"][self.name]["IPAddress"])

    def inside(self, name: str, *command: str) -> str:
        """What a command there prints. It must succeed."""
        code, output = self.run(name, *command)
        assert code == 0, (command, output)
        return output

    def run(self, name: str, *command: str) -> tuple[int, str]:
        """How a command there ends, and what it prints."""
        return run_inside(self.containers[name], list(command))

    def tried(self, name: str, *command: str) -> bool:
        """Whether a command there succeeds."""
        return self.run(name, *command)[0] == 0

    def url(self) -> str:
        """The API's address."""
        return f"https://{self.address(self.places.access_point[0])}:8080/prominence/v1"

    def visitor(self, user: str, home: Path) -> Visitor:
        """One who has a token for a day, and trusts the site's authority."""
        access_point = self.places.access_point[0]
        token = self.inside(access_point, "prominence-token", user, "--days", "1").strip()
        return Visitor(self.url(), token, home, self.inside(access_point, "cat", "/etc/prominence/tls/ca.crt"))

    def inventory(self, monitored: bool = False, **of_all: Any) -> Path:
        """One file, as an administrator writes it. monitored: by Prometheus on the access point."""
        reached = {name: {"ansible_host": self.address(name)} for name in self.places.hosts}
        groups = {group: {"hosts": {name: {} for name in names}} for group, names in self.places._asdict().items()}
        size = {"prominence_cpus": 2, "prominence_memory_mib": 1000}
        workers = {name: {**reached[name], **size} for name in self.places.workers}
        pool = {"prominence_pool": "hall-a", "prominence_site": "cellar", "prominence_labels": {"rack": "r1"}}
        document = {
            "all": {
                "vars": {
                    "ansible_user": "root",
                    "ansible_ssh_private_key_file": str(self.folder / "key"),
                    "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
                    "ansible_python_interpreter": "/usr/bin/python3",
                    "prominence_operators": ["ada"],
                    "prominence_url": self.url(),
                    "prominence_repositories": [{"name": "prominence-sid", "source": SID, "pin": 100}],
                    "prominence_bundles": str(self.folder / "bundles"),
                    **of_all,
                },
                "children": {
                    "machines": {"hosts": reached},
                    **groups,
                    **({"monitoring": groups["access_point"]} if monitored else {}),
                    "workers": {"children": {"hall_a": {"hosts": workers, "vars": pool}}},
                },
            }
        }
        file = self.folder / "inventory.json"  # which is YAML, too
        file.write_text(json.dumps(document, indent=1))
        return file

    def play(self, book: str, *options: str) -> subprocess.Popen[str]:
        """A playbook, begun."""
        program = Path(sys.executable).with_name("ansible-playbook")
        environment = {
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
        }
        command = [program, "--inventory", self.folder / "inventory.json", *options, ANSIBLE / book]
        out = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT, text=True)

    def played(self, running: subprocess.Popen[str], timeout_s: float) -> str:
        """What a playbook has printed, when it has ended well."""
        output, _ = running.communicate(timeout=timeout_s)
        assert running.returncode == 0, output[-5000:]
        return output


class Visitor:
    """A user of the pool, by our command. authority: the certificate that the API's is signed by."""

    def __init__(self, url: str, token: str, home: Path, authority: str) -> None:
        trusted = home / "authority.pem"
        trusted.write_text(authority)
        program = str(Path(sys.executable).with_name("prominence"))
        self._program = program
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PROMINENCE_")}
        known = {"PROMINENCE_URL": url, "PROMINENCE_TOKEN": token, "REQUESTS_CA_BUNDLE": str(trusted)}
        self._environment = {**kept, "HOME": str(home), **known}

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """With what it printed."""
        command = [self._program, *arguments]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=120 * PATIENCE
        )
        assert not check or done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done

    def submit(self, file: Path) -> int:
        """The id of the job."""
        return int(self.run("run", str(file)).stdout.split()[-1])

    def described(self, job: int) -> dict[str, Any]:
        """All that is known of it."""
        return dict(json.loads(self.run("describe", str(job), "--output", "json").stdout))

    def worker_of(self, job: int) -> str:
        """Where it runs, once it does."""

        def place() -> str:
            known = self.described(job)
            return str(known["attempts"][-1]["worker"]) if known["status"] == "running" else ""

        return str(until(place, 120, lambda: str(self.described(job))))

    def finished(self, job: int) -> dict[str, Any]:
        """What is known of it once it has ended."""
        ended = ("completed", "failed", "deleted", "killed")
        until(lambda: self.described(job)["status"] in ended, 120, lambda: str(self.described(job)))
        return self.described(job)
