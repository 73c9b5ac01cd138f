"""Certificates of an authority of our own, made anew for each run."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; `root` is the file that makes others trust them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority for tests")])
        self._root = _signed(self._name, self._key, self._name, self._key, is_authority=True)
        self.root = folder / "root.pem"
        self.root.write_bytes(self._root.public_bytes(serialization.Encoding.PEM))

    def issue(self, host: str) -> Pair:
        """Return a new certificate for *host*."""
        self._number += 1
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = _signed(name, key, self._name, self._key, host=host)
        pair = Pair(self._folder / f"{self._number}.pem", self._folder / f"{self._number}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        private = serialization.PrivateFormat.PKCS8
        pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
        return pair

    def lock(self, key: Path) -> Path:
        """Return the file of a key that wants a passphrase."""
        read = serialization.load_pem_private_key(key.read_bytes(), None)
        hidden = serialization.BestAvailableEncryption(b"secret")
        locked = key.with_suffix(".locked")
        locked.write_bytes(read.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden))
        return locked

    def trusting(self, client: Pair | None = None) -> Any:
        """Return the credentials of a client that trusts this authority, and shows a certificate if it has one."""
        root = self.root.read_bytes()
        if client is None:
            return grpc.ssl_channel_credentials(root)
        return grpc.ssl_channel_credentials(root, client.key.read_bytes(), client.certificate.read_bytes())

    def other_root(self) -> bytes:
        """Return the root of an authority nobody has a certificate of."""
        key = ec.generate_private_key(ec.SECP256R1())
        other = _signed(self._name, key, self._name, key, is_authority=True)
        return other.public_bytes(serialization.Encoding.PEM)


def _signed(
    name: x509.Name, key: Any, issuer: x509.Name, signing: Any, *, is_authority: bool = False, host: str = ""
) -> x509.Certificate:
    now = datetime.now(UTC)  # noqa: TID251 - certificates are checked against the real clock
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return builder.sign(signing, hashes.SHA256())
