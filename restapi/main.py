"""The REST API's process: settings -> adapters -> app.

gunicorn --workers 2 --threads 8 --worker-class prominence.restapi.server.Worker 'prominence.restapi.main:create()'

HTCondor's library answers one call at a time in each process, and gRPC's threads do not survive a fork: so several
workers, and no --preload.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask
from pydantic import SecretStr

from prominence.core import logs
from prominence.core.errors import Rejected
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.settings import load
from prominence.restapi.adapters.htcondor import HTCondorQueue
from prominence.restapi.adapters.local_tokens import LocalTokens
from prominence.restapi.adapters.sandboxes import LocalSandboxes
from prominence.restapi.app import create_app
from prominence.restapi.services import Services
from prominence.restapi.settings import RestApiSettings

log = logs.get(__name__)


def create() -> Flask:
    """What gunicorn serves. Raises Rejected for settings that cannot be."""
    settings = load(RestApiSettings, "restapi")
    logs.configure("restapi", settings.log_file, settings.log_level)
    app = create_app(_services(settings), settings.max_body)
    log.info("started", sandboxes=str(settings.sandboxes_dir), etcd=list(settings.etcd_endpoints))
    return app


def _services(settings: RestApiSettings) -> Services:
    return Services(
        queue=HTCondorQueue(),
        sandboxes=LocalSandboxes(settings.sandboxes_dir, settings.min_free_disk_mib),
        identities=LocalTokens(_secret(settings.token_key_file)),
        store=EtcdKeyValue(settings.etcd_endpoints),
        site=settings.jobs.site(),
        clock=lambda: datetime.now(UTC),
        new_uid=lambda: str(uuid.uuid4()),
        kv=settings.kv.limits(),
        remember_s=settings.remember_s,
    )


def _secret(file: Path) -> SecretStr:
    try:
        return SecretStr(file.read_text("utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise Rejected.because(f"the secret cannot be read: {error}", str(file)) from error
