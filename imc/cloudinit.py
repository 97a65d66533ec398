"""User data for cloud-init: what a virtual machine does at its first start to become a worker.

Its image has what all workers have in common (HTCondor, Apptainer, and /opt/prominence, as in the recipe of the
worker's container), or that is installed first. The rest is one worker's own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from prominence.core.errors import Rejected
from prominence.imc import userdata
from prominence.imc.installing import InstallSettings
from prominence.imc.ports import File, Layout

UNIT = "/etc/systemd/system/prominence-worker.service"
FENCE_UNIT = "/etc/systemd/system/prominence-metadata.service"
FENCE = "/etc/prominence/metadata.nft"

LONGEST = 16 * 1024
"""Bytes that clouds take: Amazon's limit, the smallest."""

_UNJOINED_MIN = 60
_HOME = "/var/lib/prominence/workers"

_UNIT_TEXT = """[Unit]
Description=Worker of a PROMINENCE pool
After=network-online.target prominence-metadata.service
Wants=network-online.target
Requires=prominence-metadata.service
StartLimitIntervalSec=600
StartLimitBurst=5
StartLimitAction=poweroff

[Service]
ExecStart=/opt/prominence/bin/start-worker
ExecStartPost=-/usr/sbin/shutdown -c
KillSignal=SIGQUIT
TimeoutStopSec=60
Restart=on-failure
RestartSec=10

[Install]
WantedBy=multi-user.target
"""

_FENCE_UNIT_TEXT = f"""[Unit]
Description=The cloud's metadata service is root's alone
Before=prominence-worker.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file {FENCE}

[Install]
WantedBy=multi-user.target
"""

_FENCE_TEXT = """table inet prominence_metadata
delete table inet prominence_metadata
table inet prominence_metadata {
    chain metadata {
        meta l4proto { tcp, udp } th dport 53 return
        ip daddr { 169.254.169.254, 168.63.129.16 } reject
        ip6 daddr { fd00:ec2::254, fd20:ce::254, fe80::a9fe:a9fe } reject
    }
    chain own {
        type filter hook output priority filter
        meta skuid 0 accept
        jump metadata
    }
    chain forwarded {
        type filter hook forward priority filter
        jump metadata
    }
}
"""
"""What root did not send itself does not reach the services that tell user data, from containers neither.

Google's and Azure's (168.63.129.16) are at the same addresses as those that names are looked up at.
"""


def layout(name: str, notices: str = "") -> Layout:
    """Where a machine that becomes this worker at its first start keeps what jobs bring."""
    home = f"{_HOME}/{name}"
    return Layout(execute_dir=f"{home}/execute", tasks_dir=f"{home}/tasks", by_user_data=True, notices=notices)


def cloud_config(files: Sequence[File], layout: Layout, install: InstallSettings | None = None) -> str:
    """The text. JSON, which is YAML too, so that nothing a file holds can be more than its content.

    Raises Rejected when it is longer than clouds take; Unavailable when a file that it needs cannot be read.
    """
    written = [
        *files,
        File(UNIT, 0o644, _UNIT_TEXT),
        File(FENCE_UNIT, 0o644, _FENCE_UNIT_TEXT),
        File(FENCE, 0o644, _FENCE_TEXT),
        *(install.files() if install else ()),
    ]
    config = {
        **(install.modules() if install else {}),
        "write_files": [
            {
                "path": file.path,
                "owner": "root:root",
                "permissions": f"{file.mode:04o}",
                "encoding": "b64",
                "content": base64.b64encode(file.text.encode()).decode(),
            }
            for file in written
        ],
        "runcmd": [
            # Should all else fail, and nobody be there to remove it.
            ["shutdown", "--poweroff", f"+{_UNJOINED_MIN}"],
            ["systemctl", "disable", "--now", "condor.service"],  # the package's own, which knows no pool
            *(install.commands(userdata.CONFIG) if install else ()),
            ["install", "-d", "-m", "0755", layout.execute_dir],
            ["install", "-d", "-m", "0711", layout.tasks_dir],
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "--now", "prominence-metadata.service"],
            ["systemctl", "enable", "--now", "--no-block", "prominence-worker.service"],
        ],
    }
    text = "#cloud-config\n" + json.dumps(config, indent=1) + "\n"
    if len(text.encode()) > LONGEST:
        raise Rejected.because(f"a worker's user data has {len(text.encode())} bytes, and clouds take {LONGEST}")
    return text
