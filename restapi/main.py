"""The REST API's process.

gunicorn --workers 2 --threads 128 --worker-class prominence.restapi.server.Worker 'prominence.restapi.main:create()'

HTCondor's library answers one call at a time in each process, and gRPC's threads do not survive a fork: so several
workers, and no --preload.
"""

from __future__ import annotations

from flask import Flask

from prominence.core import logs
from prominence.core.settings import load
from prominence.restapi.app import create_app
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.wiring import services_of

log = logs.get(__name__)


def create() -> Flask:
    """What gunicorn serves. Raises Rejected for settings that cannot be."""
    settings = load(RestApiSettings, "restapi")
    logs.configure("restapi", settings.log_file, settings.log_level)
    app = create_app(services_of(settings), settings.max_body)
    log.info("started", sandboxes=str(settings.sandboxes_dir), etcd=list(settings.etcd_endpoints))
    return app
