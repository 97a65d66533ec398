"""The certificate that a server shows."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from prominence.cli.doctor import Certificate

_TIMEOUT_S = 10


def certificate_of(host: str, port: int, environment: Mapping[str, str] = os.environ) -> Certificate:
    """Looked at with the same trust as every request: the environment's bundle, or the usual ones."""
    trusted = environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
    try:
        folder = os.path.isdir(trusted)
        context = ssl.create_default_context(cafile=None if folder else trusted, capath=trusted if folder else None)
        with (
            socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection,
            context.wrap_socket(connection, server_hostname=host) as wrapped,
        ):
            shown = wrapped.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return Certificate(trouble=error.verify_message or str(error), refused=True)
    except OSError as error:
        return Certificate(trouble=error.strerror or str(error))
    return Certificate(float(ssl.cert_time_to_seconds(str(shown["notAfter"]))))
