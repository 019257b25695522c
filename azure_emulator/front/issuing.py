"""Make an authority, and the certificates that it signs."""

from __future__ import annotations

import trustme


def new_authority() -> tuple[bytes, bytes]:
    """Return the certificate and the key of a new authority."""
    authority = trustme.CA(organization_name="DraftGenie Azure emulator")
    return authority.cert_pem.bytes(), authority.private_key_pem.bytes()


def issue(certificate: bytes, key: bytes, host: str) -> bytes:
    """Return a key and a certificate for a name, signed by an authority."""
    return trustme.CA.from_pem(certificate, key).issue_cert(host).private_key_and_cert_chain_pem.bytes()
