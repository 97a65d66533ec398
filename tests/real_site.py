"""Some bare Debian hosts in containers, with systemd and a door for SSH, on a network of their own."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import docker
from docker.models.containers import Container
from real_parts import run_inside, until
from real_visitor import Visitor

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

SHARES = """
[[accounting.shares]]
group = "/vo/bio-med"
quota = 0.25
"""
"""Settings of the API: a group has a part of the pool."""
TOLD = {"environment", "50-site.conf", "ca.crt"}
"""Files that everybody may read on a machine of the control plane."""

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

    def visitor(self, user: str, home: Path, authority: Path | None = None) -> Visitor:
        """One who has a token for a day, and trusts this authority alone; None: that of the pool."""
        access_point = self.places.access_point[0]
        token = self.inside(access_point, "prominence-token", user, "--days", "1").strip()
        of_pool = ("cat", "/etc/prominence/tls/ca.crt")
        trusted = authority.read_text() if authority else self.inside(access_point, *of_pool)
        return Visitor(self.url(), token, home, trusted)

    def trust(self, name: str, authority: Path) -> None:
        """A machine trusts an authority of the site, as its administrator has seen to."""
        place = "/usr/local/share/ca-certificates"
        script = f'mkdir -p {place} && printf "%s" "$0" > {place}/ours.crt'
        self.inside(name, "sh", "-c", script, authority.read_text())

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

    def open_to_others(self, name: str) -> set[str]:
        """Files of ours there that everybody may read."""
        looked = "find /etc/prominence /etc/condor/tokens.d -type f -perm /004 -size +0"
        return {Path(found).name for found in self.inside(name, *looked.split()).split()}

    def play(self, book: str, *options: str) -> subprocess.Popen[str]:
        """A playbook, begun."""
        program = Path(sys.executable).with_name("ansible-playbook")
        environment = {
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible"),
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
        }
        command = [program, "--inventory", self.folder / "inventory.json", *options, ANSIBLE / book]
        out = subprocess.PIPE
        where = ANSIBLE.parent  # where ansible.cfg is
        return subprocess.Popen(command, env=environment, cwd=where, stdout=out, stderr=subprocess.STDOUT, text=True)

    def played(self, running: subprocess.Popen[str], timeout_s: float) -> str:
        """What a playbook has printed, when it has ended well."""
        output, _ = running.communicate(timeout=timeout_s)
        assert running.returncode == 0, output[-5000:]
        return output


def changed(output: str) -> list[int]:
    """How many tasks of a playbook have changed something on each host, by what it has printed."""
    return [int(number) for number in re.findall(r"changed=(\d+)", output)]


def changing(output: str) -> set[str]:
    """The tasks that have changed something, by what a playbook has printed."""
    tasks = re.split(r"^TASK \[(.*?)\] \**$", output, flags=re.MULTILINE)
    return {name for name, said in zip(tasks[1::2], tasks[2::2], strict=True) if re.search("^changed: ", said, re.M)}


@contextmanager
def started(hosts: Hosts, monitored: bool = False, **of_all: Any) -> Iterator[Hosts]:
    """With their inventory, which says this of all; in the end none of them is left."""
    try:
        hosts.start()
        hosts.inventory(monitored, **of_all)
        yield hosts
    finally:
        hosts.close()
