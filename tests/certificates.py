"""Certificates of this machine, each made by itself or by an authority."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HERE = "127.0.0.1"


def a_certificate(directory: Path, days: float = 1) -> Path:
    """Of 127.0.0.1, with its key, for so many days from now; below 0 it has expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = _unsigned("server", "server", key, days, ca=True).sign(key, SHA256())
    file = directory / "certificate.pem"
    file.write_bytes(_private(key) + made.public_bytes(Encoding.PEM))
    return file


@dataclass(frozen=True)
class Files:
    """Where a certificate is, its key, and the certificate of who has signed it."""

    ca: Path
    certificate: Path
    key: Path


class Authority:
    """One that signs certificates. directory: where all of them are kept, and its own."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory, self._name = directory, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._ca = directory / f"{name}.pem"
        made = _unsigned(name, name, self._key, 1, ca=True).sign(self._key, SHA256())
        self._ca.write_bytes(made.public_bytes(Encoding.PEM))

    @property
    def certificate(self) -> Path:
        """Its own."""
        return self._ca

    def signed(self, name: str, address: str = HERE) -> Files:
        """A certificate of this name and address, for servers and for clients. Called again: another one."""
        key = ec.generate_private_key(ec.SECP256R1())
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = _unsigned(name, self._name, key, 1, ca=False, address=address).add_extension(signer, critical=False)
        made_by_it = made.sign(self._key, SHA256())
        files = Files(self._ca, self._directory / f"{name}.pem", self._directory / f"{name}.key")
        files.certificate.write_bytes(made_by_it.public_bytes(Encoding.PEM))
        files.key.write_bytes(_private(key))
        return files


def _unsigned(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, days: float, ca: bool, address: str = HERE
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(ca), critical=True)
    )


def _usage(ca: bool) -> x509.KeyUsage:
    """Strict readers, such as Python 3.13, take no authority that does not say what its key is for."""
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign")
    none = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=ca, **none)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
