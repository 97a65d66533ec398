"""How a process and the shared store prove to each other who they are."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from prominence.core.errors import Rejected
from prominence.core.settings import Settings


class EtcdTls(Settings):
    """Certificates, in PEM. They are read once: a process that is to use new ones is started anew."""

    ca_file: Path = Field(description="Certificates that the members' own must be signed by.")
    certificate_file: Path = Field(description="What this process shows to members.")
    key_file: Path = Field(description="The private key of that certificate, readable by this process's account alone.")


class Certificates(NamedTuple):
    """What is in the files."""

    ca: bytes
    certificate: bytes
    key: bytes


def read(tls: EtcdTls) -> Certificates:
    """Raises Rejected, naming the setting, for what cannot be used: gRPC would say nothing and never connect."""
    found = Certificates(*(_content(tls, name) for name in ("ca_file", "certificate_file", "key_file")))
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except ssl.SSLError as error:
        raise Rejected.because(f"{tls.ca_file} holds no certificates: {error}", "etcd_tls.ca_file") from error
    try:
        context.load_cert_chain(tls.certificate_file, tls.key_file, password=_nothing)
    except (ssl.SSLError, ValueError) as error:
        # What is wrong is told, and nothing of what is in them.
        raise Rejected.because(
            f"{tls.certificate_file} and {tls.key_file} are no certificate and its key without a password",
            "etcd_tls.certificate_file",
        ) from error
    return found


def _content(tls: EtcdTls, name: str) -> bytes:
    file: Path = getattr(tls, name)
    try:
        return file.read_bytes()
    except OSError as error:
        raise Rejected.because(f"{file} cannot be read: {error.strerror}", f"etcd_tls.{name}") from error


def _nothing() -> str:
    """Who runs a service cannot be asked for a password."""
    return ""
