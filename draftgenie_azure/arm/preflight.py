"""Validate bodies with Resource Manager's `validateResources` before anything is written.

Nothing is made by it, no other resource is looked for, and the right to read is enough. Types that have no such check
are passed over by Azure. One request may hold many bodies of one type, scope and location. Sources:
`resourceValidator.json` of github.com/Azure/azure-rest-api-specs, github.com/Azure/aztfpreflight, and the preflight
packages of terraform-provider-azurerm and terraform-provider-azapi.
"""

from __future__ import annotations

import json

from draftgenie_azure.arm import ids
from draftgenie_azure.arm.plan import is_pending
from draftgenie_azure.arm.properties import traits
from draftgenie_azure.arm.refusals import refusal
from draftgenie_azure.arm.replies import Reply
from draftgenie_azure.arm.resource import CREATION_ID_TAG
from draftgenie_azure.digests import sha256
from draftgenie_azure.errors import ADVICE, BUSY_CODES, AuthenticationError, AzureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from draftgenie_azure.arm.transport import Transport
    from draftgenie_azure.arm.versions import Versions

    Body = dict[str, Any]
    Place = tuple[str, str, str]  # type, scope and location

_TYPE = "Microsoft.Resources/validateResources"
_MOST_AT_ONCE = 50  # bodies of one request: some 5 KB each, and Resource Manager takes 4 MB
_UNKNOWN = "[length('foo')]"  # a template expression, whose value is not validated
_NO_ANSWER = (404, 405)
_NO_SECRETS = frozenset({"properties.createMode"})  # never returned, yet not secret
# Codes unrelated to the body: its references do not exist yet, or an earlier step takes care of it.
_ABOUT_OTHERS = BUSY_CODES | {
    "AuthorizationFailed",
    "ConflictError",
    "ContainerAppSecretKeyVaultUrlInvalid",
    "ExpiredAuthenticationToken",
    "FlagMustBeSetForRestore",
    "InvalidAuthenticationToken",
    "InvalidAuthenticationTokenTenant",
    "InvalidEnvironmentId",
    "ManagedEnvironmentNotProvisioned",
    "MissingSubscriptionRegistration",
    "NoRegisteredProviderFound",
    "PrincipalNotFound",
    "SubscriptionNotFound",
    "VaultAlreadyExists",
}


class Question:
    """One body to validate.

    Args:
        key: key of the resource in the state.
        resource_id: its id.
        body: the full body to send; values known only during a run are not validated.

    Attributes:
        can_be_asked: True if enough of it is known to validate it.
    """

    def __init__(self, key: str, resource_id: str, body: Body) -> None:
        self.key = key
        self.type = ids.resource_type(resource_id)
        self._id = resource_id
        head = {name: value for name, value in body.items() if name not in ("properties", "tags")}
        self.can_be_asked = not is_pending([resource_id, head])
        self._body = _without_secrets(self.type, {name: _known(value) for name, value in body.items()})

    def digest(self, salt: str) -> str:
        """Return a digest of the body, without the id that each plan generates for a new resource."""
        tags = {name: value for name, value in (self._body.get("tags") or {}).items() if name != CREATION_ID_TAG}
        text = json.dumps([salt, self._id.lower(), {**self._body, "tags": tags}], sort_keys=True, default=str)
        return sha256(text.encode("utf-8", "surrogateescape"))[:32]

    def place(self, location: str) -> Place:
        """The common key of the bodies in one request."""
        scope, _ = _scope_and_name(self._id)
        return self.type, scope, str(self._body.get("location") or location)

    def resource(self, versions: Versions) -> Body:
        """The body, as a request holds it."""
        _, name = _scope_and_name(self._id)
        version = versions.sent(self._id, ids.api_version(self._id))
        return {**self._body, "name": name, "type": self.type, "apiVersion": version}


class Answer:
    """Azure's verdict on one body; `error` is None if it is accepted.

    Attributes:
        stops: True if the error must stop the run; others are only reported.
        said: True if Azure gave a verdict.
        is_about_others: True if the error is not about the body.
    """

    def __init__(self, question: Question, error: AzureError | None = None, *, said: bool = True) -> None:
        self.question = question
        self.error = error
        self.said = said
        self.is_about_others = said and error is not None and error.code in _ABOUT_OTHERS
        self.stops = said and error is not None and _says_what_to_do(error)


def together(questions: Iterable[Question], location: str) -> list[list[Question]]:
    """Group the questions into requests.

    Args:
        location: location for bodies without one.
    """
    places: dict[Place, list[Question]] = {}
    for question in questions:
        places.setdefault(question.place(location), []).append(question)
    return [
        found[start : start + _MOST_AT_ONCE]
        for found in places.values()
        for start in range(0, len(found), _MOST_AT_ONCE)
    ]


def ask(transport: Transport, questions: Sequence[Question], location: str) -> list[Answer]:
    """Validate the bodies of one request.

    Returns:
        One answer per body; none if Azure refuses one of several, which must then be validated individually.

    Raises:
        AuthenticationError: the token is rejected.
    """
    type_, scope, where = questions[0].place(location)
    namespace, kind = type_.split("/", 1)
    document = {
        "provider": namespace,
        "type": kind,
        "scope": scope,
        "location": where,
        "performPreflightWithoutRbacWriteCheck": True,
        "resources": [question.resource(transport.versions) for question in questions],
    }
    try:
        reply = transport.arm(
            "POST", f"/providers/{_TYPE}", params={"api-version": ids.API_VERSIONS[_TYPE]}, json_body=document,
            accept=(400, 403, *_NO_ANSWER), tries=2,
        )  # fmt: skip
    except AuthenticationError:
        raise
    except AzureError as failure:  # no reply, or a server error
        return [Answer(question, failure, said=False) for question in questions]
    if reply.status < 400:
        return [Answer(question) for question in questions]
    if reply.status == 400 and len(questions) > 1:
        return []
    return [_refused(question, reply) for question in questions]


def _refused(question: Question, reply: Reply) -> Answer:
    error: AzureError | None
    found = [error for one in _innermost(reply.body) if (error := _error(question, reply, one)).code]
    error = next((one for one in found if _says_what_to_do(one)), found[0] if found else None)
    if error is None:
        error = refusal(reply, f"{question.key}: validated before writing")
    return Answer(question, error, said=reply.status == 400)


def _error(question: Question, reply: Reply, error: Body) -> AzureError:
    """Return the error for one of Azure's objections to a body, with the policies it names."""
    return refusal(Reply(reply.status, reply.headers, {"error": error}), f"{question.key}: Azure would refuse it")


def _says_what_to_do(error: AzureError) -> bool:
    return error.code in ADVICE and error.code not in _ABOUT_OTHERS


def _innermost(error: Any) -> Iterator[Body]:
    """Yield each error inside `ResourceValidationFailed` and `PreflightValidationCheckFailed`."""
    if not isinstance(error, dict):
        return
    inner = error.get("error", error)
    details = inner.get("details") if isinstance(inner, dict) else None
    if isinstance(details, list) and details:
        for detail in details:
            yield from _innermost(detail)
    elif isinstance(inner, dict):
        yield inner


def _scope_and_name(resource_id: str) -> tuple[str, str]:
    """Return the scope of a resource, and its name in it: `parent/child` for a nested one."""
    parts = resource_id.strip("/").split("/")
    lowered = [part.lower() for part in parts]
    if "providers" not in lowered:
        return "/" + "/".join(parts[:2]), parts[-1]
    start = len(parts) - 1 - lowered[::-1].index("providers")
    return "/" + "/".join(parts[:start]), "/".join(parts[start + 3 :: 2])


def _without_secrets(type_: str, body: Body) -> Body:
    """Return the body with an expression for each value that Azure never returns, so that it contains no secret."""
    result = body
    for path in traits(type_).write_only:
        if path in _NO_SECRETS:
            continue
        result = _replaced(result, path.split("."))
    secrets = ((result.get("properties") or {}).get("configuration") or {}).get("secrets")
    return _replaced(result, ["properties", "configuration", "secrets[]", "value"], add=True) if secrets else result


def _replaced(value: Any, path: list[str], *, add: bool = False) -> Any:
    """Return a copy with an expression at a path; with `add` also if a secret is absent there."""
    first, *rest = path
    name = first.removesuffix("[]")
    if not isinstance(value, dict):
        return value
    if not rest:
        bare = add and "keyVaultUrl" not in value
        return {**value, name: _UNKNOWN} if name in value or bare else value
    if name not in value:
        return value
    inner = value[name]
    if first.endswith("[]"):
        return {**value, name: [_replaced(item, rest, add=add) for item in inner or []]}
    return {**value, name: _replaced(inner, rest, add=add)}


def _known(value: Any) -> Any:
    """Return a value with expressions for parts known only during a run."""
    if isinstance(value, dict):
        return {name: _known(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_known(item) for item in value]
    if not isinstance(value, str):
        return value
    if is_pending(value):
        return _UNKNOWN
    return f"[{value}" if value.startswith("[") and value.endswith("]") else value  # text, not an expression
