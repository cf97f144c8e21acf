"""Who signs: an identity of this user's own, made on first use, or a studio's certificate and key.

DATA/signing/chain.pem   certificate of the signer and of the authority that vouches for it, both made here
DATA/signing/key.pem     the signer's private key, readable by the user alone; the authority's was thrown away
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from stat import S_IMODE

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bianlian.errors import ConfigError, OutputError
from bianlian.files import discard, keep, new_part_folder, writing

CHAIN, KEY = "chain.pem", "key.pem"
_PEM, _PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
# Fixed dates: with a clock that was wrong for a day, signatures made before and after it still fall into them.
_FROM, _UNTIL = datetime(2025, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_LONGEST = 1 << 20

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Identity:
    """A signer. chain: PEM certificates, the signer's first; key: PEM, PKCS 8; algorithm: C2PA's name of it; name: whose it is."""

    chain: bytes
    key: bytes = field(repr=False)
    algorithm: str
    name: str


def data_dir() -> Path:
    """Tell the folder for what belongs to the user: ``BIANLIAN_DATA``, else ``XDG_DATA_HOME/bianlian``, else
    ``~/.local/share/bianlian``; it may not exist."""
    own = os.environ.get("BIANLIAN_DATA")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_DATA_HOME")
    return (Path(shared) if shared else Path.home() / ".local" / "share") / "bianlian"


def local_identity() -> Identity:
    """Open this user's own identity, which is made when there is none. Raises OutputError, ConfigError."""
    folder = data_dir() / "signing"
    if not (folder / KEY).is_file():
        _make(folder)
    if os.name != "nt" and S_IMODE((folder / KEY).stat().st_mode) & 0o077:
        raise ConfigError(f"others may read the signing key {folder / KEY}: chmod 600 it, or delete {folder} for a new identity")
    return open_identity(folder / CHAIN, folder / KEY)


def local_authority() -> bytes:
    """Give the certificates that vouch for this user's own identity, PEM; empty before there is one."""
    path = data_dir() / "signing" / CHAIN
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""


def open_identity(chain: Path, key: Path) -> Identity:
    """Open a certificate chain and its private key, both PEM.

    Raises ConfigError: missing, no PEM, encrypted, of a kind that C2PA does not know, or not of one another.
    """
    try:
        certificates = x509.load_pem_x509_certificates(_read(chain))
    except ValueError as error:
        raise ConfigError(f"wanted PEM certificates, {chain} has none that can be read ({error}): the signer's first") from error
    try:
        private = serialization.load_pem_private_key(_read(key), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"wanted a private key in PEM without a password, {key} is none ({error})") from error
    if not isinstance(private, PrivateKey):
        raise ConfigError(f"the key {key} is of a kind that C2PA does not sign with; take P-256, P-384, P-521, Ed25519 or RSA")
    if private.public_key() != certificates[0].public_key():
        raise ConfigError(f"the key {key} does not belong to the first certificate of {chain}; give CERT and KEY of one signer")
    return Identity(
        b"".join(c.public_bytes(_PEM) for c in certificates),
        private.private_bytes(_PEM, _PKCS8, serialization.NoEncryption()),
        _algorithm(private, key),
        certificates[0].subject.rfc4514_string(),
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST)
    except OSError as error:
        raise ConfigError(f"cannot read {path} ({error.strerror}): wanted a certificate and its key, both PEM") from error


def _algorithm(key: PrivateKey, path: Path) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if key.curve.name not in _CURVES:
        raise ConfigError(f"the key {path} is on the curve {key.curve.name}, C2PA signs with {', '.join(_CURVES)}")
    return _CURVES[key.curve.name]


def _make(folder: Path) -> None:
    """Make an identity and write it whole; the one of a process that was faster stays."""
    authority, private = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("bianlian local authority", authority, authority, None)
    chain = _certificate("bianlian local signer", private, authority, root).public_bytes(_PEM) + root.public_bytes(_PEM)
    key = private.private_bytes(_PEM, _PKCS8, serialization.NoEncryption())
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = None
    try:
        part = new_part_folder(folder)
        with writing(folder):
            part.chmod(0o700)
            (part / CHAIN).write_bytes(chain)
            with os.fdopen(os.open(part / KEY, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                file.write(key)
        keep(part, folder)
    except OutputError:
        if not (folder / KEY).is_file():
            raise
    finally:
        if part is not None:
            discard(part)


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, root: x509.Certificate | None
) -> x509.Certificate:
    """Make a certificate as C2PA wants it; root: of who signs it, None for an authority."""
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "bianlian"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
    top = root is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if root is None else root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.BasicConstraints(top, 0 if top else None), critical=True)
        .add_extension(_usage(top), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not top:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key())
        builder = builder.add_extension(identifier, critical=False)
    return builder.sign(by, hashes.SHA256())


def _usage(top: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not top,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=top,
        crl_sign=top,
        encipher_only=False,
        decipher_only=False,
    )
