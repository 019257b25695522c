"""Explain why a connection or sign-in failed: the innermost cause, and a remedy.

Libraries wrap a cause several times, and the Azure CLI reports it as text, so the text is matched.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 12
_HOST = re.compile(r"host='?([\w.-]+)|HTTPS?ConnectionPool\(host='([\w.-]+)'|\('([\w.-]+)', \d+\)")
_SAID = re.compile(r"Tunnel connection failed: (\d{3}[ \w-]*)|(?:invalid path|Errno -?\d+\]):? ?([^\"')\]]+)")
_AADSTS = re.compile(r"AADSTS\d+:[^\n]*")
_ATTEMPT = re.compile(r"^\s+\w+Credential: (.+)$", re.MULTILINE)
_UNSET = re.compile(
    r"unavailable|could not be found|not (?:found|installed|configured|fully configured)|IMDS|No accounts|requires"
)
_PROXY = "Set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
_QUERY = re.compile(r"\?[\w.$-]+=[^\s'\")]*")  # of a URL; it may hold a signature
_CLOCK = "Set this machine's clock (timedatectl set-ntp true)"


class Cause:
    """The cause of a failure.

    Attributes:
        text: short description.
        hint: remedy.
        transient: True if it may pass by itself.
        is_refusal: True if the sign-in was refused; otherwise a host was unreachable, and the text describes it.
        seconds: how long to retry; None for the retry budget of the request.
    """

    __slots__ = ("hint", "is_refusal", "seconds", "text", "transient")

    def __init__(
        self, text: str, hint: str, *, transient: bool = False, seconds: float | None = None, is_refusal: bool = False
    ) -> None:
        self.text = text
        self.hint = hint
        self.transient = transient
        self.seconds = seconds
        self.is_refusal = is_refusal


# The first match decides. Sources of the AADSTS codes:
# learn.microsoft.com/entra/identity-platform/reference-error-codes.
_CAUSES: tuple[tuple[re.Pattern[str], Cause], ...] = tuple(
    (re.compile(words, re.IGNORECASE | re.DOTALL), cause)
    for words, cause in (
        (
            r"certificate.{0,40}(?:is not yet valid|has expired)",
            Cause(
                "its certificate is not valid at this machine's time",
                f"{_CLOCK}, or renew the certificate.",
            ),
        ),
        (
            r"hostname mismatch|doesn't match|certificate is not valid for",
            Cause(
                "its certificate is for another host",
                "Something in between responds in its place: check proxy and DNS.",
            ),
        ),
        (
            r"CERTIFICATE_VERIFY_FAILED|self.signed certificate|unable to get (?:local )?issuer",
            Cause(
                "this machine does not trust the issuer of its certificate",
                "Behind a proxy that inspects TLS, set its CA file: REQUESTS_CA_BUNDLE=/path/ca.pem, or for a custom "
                "cloud the CA file under azure.cloud.",
            ),
        ),
        (
            r"Could not find a suitable TLS CA certificate bundle|Could not find the TLS certificate file",
            Cause(
                "the file with the certificates to trust is not there",
                "Correct the path in REQUESTS_CA_BUNDLE, or the CA file under azure.cloud.",
            ),
        ),
        (
            r"Tunnel connection failed: 407|407 Proxy",
            Cause("the proxy requires a user and a password (407)", f"{_PROXY} and run again."),
        ),
        (
            r"Tunnel connection failed: 4\d\d",
            Cause(
                "the proxy refuses to connect to it",
                "Allow the host in the proxy, or list it in NO_PROXY if it is reachable directly.",
            ),
        ),
        (
            r"Tunnel connection failed: 5\d\d",
            Cause("the proxy cannot reach it", "Check the proxy (HTTPS_PROXY) and its network.", transient=True),
        ),
        (
            r"RemoteDisconnected|Remote end closed connection|Connection reset|EOF occurred in violation of protocol",
            Cause(
                "the connection was closed before the answer came",
                "Run again; if it happens each time, check proxy and firewall between here and Azure.",
                transient=True,
            ),
        ),
        (
            r"(?:Cannot|Unable to) connect to proxy|ProxyError.{0,200}(?:refused|timed out|resolve)",
            Cause(
                "the proxy cannot be reached",
                "Check the address in HTTPS_PROXY; unset it if there is no proxy.",
                transient=True,
                seconds=60.0,
            ),
        ),
        (
            r"NameResolutionError|Failed to resolve|getaddrinfo failed|Name or service not known|"
            r"Temporary failure in name resolution|nodename nor servname|No address associated",
            Cause(
                "its name cannot be resolved (DNS)",
                "Check the network, VPN and DNS settings; behind a proxy, set HTTPS_PROXY.",
                transient=True,
                seconds=60.0,
            ),
        ),
        (
            r"Connection refused|actively refused",
            Cause("the connection is refused", "Check firewall, proxy and address.", transient=True),
        ),
        (
            r"Network is unreachable|No route to host",
            Cause("it is unreachable from this network", "Check the network and VPN.", transient=True, seconds=60.0),
        ),
        (
            r"AADSTS(?:700024|700021|500133)\b|not within its valid time range|token.{0,40}not yet valid",
            Cause(
                "this machine's clock differs from Azure's, or the assertion is too old",
                f"{_CLOCK}; on a CI system, run the job again.",
                is_refusal=True,
            ),
        ),
        (
            r"AADSTS(?:90002|900021|900023|50020|500011|700016|5000224)\b|not found in (?:the )?(?:directory|tenant)",
            Cause(
                "the tenant does not know this application, user or resource",
                "Check azure.tenant_id and AZURE_TENANT_ID: az account show --query tenantId; then az login --tenant "
                "TENANT.",
                is_refusal=True,
            ),
        ),
        (
            r"AADSTS7000222\b",
            Cause(
                "the client secret has expired",
                "Create a new one (az ad app credential reset --id CLIENT) and put it in AZURE_CLIENT_SECRET.",
                is_refusal=True,
            ),
        ),
        (
            r"AADSTS7000215\b",
            Cause(
                "the client secret is wrong",
                "Put the secret's value, not its id, in AZURE_CLIENT_SECRET.",
                is_refusal=True,
            ),
        ),
        (
            r"AADSTS(?:700213|70021|700211|700212|7002138?)\b|matching federated identity",
            Cause(
                "no federated credential of the application matches this workflow's token",
                "Compare issuer, subject and audience with the application's federated credentials.",
                is_refusal=True,
            ),
        ),
        (
            r"AADSTS(?:50173|70043|700082|50078|700084|50132|50133|70008|50089)\b|refresh token has expired",
            Cause("the sign-in has expired", "Sign in again: az login.", is_refusal=True),
        ),
        (
            r"AADSTS(?:50076|50079|50158|53000|53001|53003|530033)\b",
            Cause(
                "a policy of the tenant requires more, such as a second factor or a managed device",
                "Sign in interactively: az login --tenant TENANT.",
                is_refusal=True,
            ),
        ),
        (
            r"timed out|timeout",
            Cause("no reply in time", "Check the network, firewall and proxy.", transient=True),
        ),
    )
)


def of(error: BaseException) -> Cause | None:
    """Return the cause of a failed connection or sign-in, or None if unknown."""
    texts = list(_texts(error))
    for words, cause in _CAUSES:
        if any(words.search(text) for text in texts):
            return cause
    return None


def description(error: BaseException, cause: Cause) -> str:
    """Return the cause with the message of the system or proxy, without the wrapping of libraries."""
    for text in _texts(error):
        if cause.text.endswith(")"):
            break
        if (match := _SAID.search(text)) is not None:
            return f"{cause.text} ({match[1] or match[2]})"
    return cause.text


def is_lasting(error: BaseException) -> bool:
    """Return whether the cause is known and not transient."""
    cause = of(error)
    return cause is not None and not cause.transient


def host(error: BaseException) -> str | None:
    """Return the unreachable host, if the error names it."""
    for text in _texts(error):
        match = _HOST.search(text)
        if match is not None:
            return match[1] or match[2] or match[3]
    return None


def innermost(error: BaseException) -> str:
    """Return the text of the innermost cause; for a sign-in, Azure's own if there is one."""
    texts = [text.strip() for text in _texts(error) if text.strip()]
    for text in texts:
        if (match := _AADSTS.search(text)) is not None:
            return match[0].split(" Trace ID")[0].strip()
    for text in texts:
        if "Attempted credentials:" in text:
            return _attempts(text)
    return _QUERY.sub("?…", texts[-1].splitlines()[0]) if texts else type(error).__name__


def _attempts(text: str) -> str:
    """Return the messages of the SDK's credential chain, without credentials that are not set up."""
    found = [match[1] for match in _ATTEMPT.finditer(text) if _UNSET.search(match[1]) is None]
    return found[-1] if found else "nobody is signed in"


def _texts(error: BaseException) -> Iterator[str]:
    """Yield the texts of an error and of all it wraps, outermost first."""
    seen: set[int] = set()
    following: list[object] = [error]
    while following and len(seen) < _DEEPEST:
        one = following.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield f"{type(one).__name__}: {one}" if not one.args or isinstance(one.args[0], BaseException) else str(one)
        names = ("inner_exception", "reason", "original_error", "__cause__", "__context__")
        following += [*one.args, *(getattr(one, name, None) for name in names)]
