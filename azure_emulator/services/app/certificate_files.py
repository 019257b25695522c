"""Parse uploaded certificates: PFX or PEM."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from cryptography.x509.oid import NameOID

from azure_emulator.core.clock import stamp
from azure_emulator.core.errors import Refusal

Json = dict[str, Any]


def parse(value: str, password: str) -> x509.Certificate:
    """Return the certificate in a base64 PFX or PEM."""
    try:
        data = base64.b64decode(value, validate=True)
        if b"-----BEGIN" in data:
            load_pem_private_key(data, password.encode() if password else None)
            return x509.load_pem_x509_certificate(data)
        found = pkcs12.load_key_and_certificates(data, password.encode() if password else None)[1]
    except (ValueError, TypeError, binascii.Error) as error:
        # The service's error code is not known.
        raise Refusal(400, "InvalidCertificate", f"The certificate or its password is invalid: {error}") from error
    if found is None:
        raise Refusal(400, "InvalidCertificate", "There is no certificate in the file.")
    return found


def described(certificate: x509.Certificate, moment: float) -> Json:
    """Return the properties that the service shows of a certificate."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        alternative = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        alternative = []
    now = datetime.fromtimestamp(moment, UTC)
    return {
        "subjectName": _common_name(certificate.subject),
        "subjectAlternativeNames": alternative,
        "issuer": _common_name(certificate.issuer),
        "issueDate": stamp(certificate.not_valid_before_utc.timestamp(), digits=0),
        "expirationDate": stamp(certificate.not_valid_after_utc.timestamp(), digits=0),
        "thumbprint": certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303 - Azure's thumbprints are SHA-1
        "valid": certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc,
        "publicKeyHash": certificate.fingerprint(hashes.SHA256()).hex().upper(),
    }


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()
