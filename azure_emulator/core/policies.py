"""Declared policies that deny or modify writes, and quotas, capacity limits and offers that refuse them.

A declaration is a mapping, as faults are: `type` and `path` (shell patterns, without case) say which resources it is
about, `rule` is a condition in Azure Policy's own language (learn.microsoft.com/azure/governance/policy/concepts/
definition-structure-policy-rule), and `effect` what follows:

- `deny`: the write is refused with RequestDisallowedByPolicy;
- `modify`: `operations` change what is written (`add`, `addOrReplace`, `remove` of a field);
- `refuse`: the write is refused with the `status`, `code` and `message` given: a quota, a region without capacity, an
  offer that is closed. With `most` it is refused only where so many resources of the type exist already.

They apply to PUT, PATCH and validateResources.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from azure_emulator.core.errors import Refusal, gateway
from azure_emulator.core.fields import MISSING, change, field_value

Json = dict[str, Any]

_EFFECTS = ("deny", "modify", "refuse")
_KEYS: dict[str, type] = {
    "name": str,
    "display_name": str,
    "type": str,
    "path": str,
    "rule": dict,
    "effect": str,
    "operations": list,
    "status": int,
    "code": str,
    "message": str,
    "most": int,
}
_OWN_KEYS = {"modify": {"operations"}, "refuse": {"status", "code", "message", "most"}, "deny": set[str]()}
_OPERATIONS = ("add", "addorreplace", "remove")


class BadPolicy(ValueError):
    """An invalid declaration."""


@dataclass(frozen=True)
class Policy:
    """One parsed and validated declaration."""

    name: str
    display_name: str
    type: str
    path: str
    rule: Json
    effect: str
    operations: tuple[Json, ...]
    status: int
    code: str
    message: str
    most: int | None

    def concerns(self, resource: Json) -> bool:
        """Return whether it matches by type, id and condition."""
        kind, path = str(resource.get("type", "")).lower(), str(resource.get("id", "")).lower()
        if not fnmatchcase(kind, self.type.lower()) or not fnmatchcase(path, self.path.lower()):
            return False
        return holds(self.rule, resource)


@dataclass(frozen=True)
class Write:
    """A write to check: the resulting resource, the body sent, and the number of existing resources of the type."""

    resource: Json
    body: Json
    count: int
    new: bool


def parse(declaration: Any, where: str = "policy") -> Policy:
    """Parse one declaration. Raises BadPolicy with the reason."""
    if not isinstance(declaration, Mapping):
        raise BadPolicy(f"{where}: a mapping is expected, not {type(declaration).__name__}")
    for key, value in declaration.items():
        if key not in _KEYS:
            raise BadPolicy(f"{where}: unknown key {key!r}; known are {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            raise BadPolicy(f"{where}: {key} has the wrong type ({value!r})")
    effect = str(declaration.get("effect", "")).lower()
    if effect not in _EFFECTS:
        raise BadPolicy(f"{where}: effect {effect!r} is none of {', '.join(_EFFECTS)}")
    foreign = set.union(*_OWN_KEYS.values()) - _OWN_KEYS[effect]
    if foreign & set(declaration):
        raise BadPolicy(f"{where}: {min(foreign & set(declaration))} does not go with the effect {effect}")
    _check_parts(declaration, effect, where)
    name = str(declaration.get("name") or f"{effect}-{where.replace(' ', '-')}")
    code = str(declaration.get("code", "RequestDisallowedByPolicy"))
    return Policy(
        name,
        str(declaration.get("display_name", name)),
        str(declaration.get("type", "*")),
        str(declaration.get("path", "*")),
        dict(declaration.get("rule", {})),
        effect,
        tuple(declaration.get("operations", [])),
        declaration.get("status", 409),
        code,
        str(declaration.get("message", f"The request was refused: {code} (declared).")),
        declaration.get("most"),
    )


def _check_parts(declaration: Mapping[str, Any], effect: str, where: str) -> None:
    if effect == "refuse" and "code" not in declaration:
        raise BadPolicy(f"{where}: effect refuse needs a code")
    if effect == "modify" and not declaration.get("operations"):
        raise BadPolicy(f"{where}: effect modify needs operations")
    for item in declaration.get("operations", []):
        word = str(item.get("operation", "")).lower() if isinstance(item, Mapping) else ""
        if word not in _OPERATIONS or not isinstance(item.get("field"), str):
            raise BadPolicy(
                f"{where}: an operation is {{operation: add|addOrReplace|remove, field, value}}, not {item}"
            )
        if word != "remove" and "value" not in item:
            raise BadPolicy(f"{where}: the operation {item['operation']} needs a value")
    status = declaration.get("status", 409)
    if not 400 <= status <= 599:
        raise BadPolicy(f"{where}: status {status} is no error status (400 to 599)")
    _check_rule(declaration.get("rule", {}), where)


# Conditions


def _check_rule(rule: Any, where: str) -> None:
    """Validate a condition."""
    if not isinstance(rule, Mapping):
        raise BadPolicy(f"{where}: a condition is a mapping, not {rule!r}")
    if not rule:
        return
    known = [key for key in rule if key.lower() in ("allof", "anyof", "not")]
    if known:
        if len(rule) != 1:
            raise BadPolicy(f"{where}: {known[0]} must be the only key of a condition")
        inner = rule[known[0]]
        for item in inner if isinstance(inner, list) else [inner]:
            _check_rule(item, where)
        return
    operators = [key for key in rule if key.lower() != "field"]
    if not isinstance(rule.get("field"), str) or len(operators) != 1 or operators[0].lower() not in _OPERATORS:
        raise BadPolicy(f"{where}: a condition is {{field, one of {', '.join(_OPERATORS)}}}, not {dict(rule)}")


def holds(rule: Mapping[str, Any], resource: Json) -> bool:
    """Return whether a condition holds for a resource; an empty one always does."""
    for key, value in rule.items():
        word = key.lower()
        if word == "allof":
            return all(holds(item, resource) for item in value)
        if word == "anyof":
            return any(holds(item, resource) for item in value)
        if word == "not":
            return not holds(value, resource)
    if not rule:
        return True
    operator, wanted = next((key.lower(), value) for key, value in rule.items() if key.lower() != "field")
    values = field_value(resource, rule["field"])
    return all(_OPERATORS[operator](value, wanted) for value in values)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or value is MISSING else str(value).lower()


def _same(value: Any, wanted: Any) -> bool:
    return value is not MISSING and _text(value) == _text(wanted)


def _like(value: Any, wanted: Any) -> bool:
    return fnmatchcase(_text(value), re.sub(r"([\[\]?])", r"[\1]", _text(wanted)))


def _there(value: Any, wanted: Any) -> bool:
    return (value is not MISSING and value is not None) == (_text(wanted) != "false")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _holds_in(value: Any, wanted: Any) -> bool:
    return any(_same(value, item) for item in wanted)


_OPERATORS: dict[str, Any] = {
    "equals": _same,
    "notequals": lambda value, wanted: not _same(value, wanted),
    "like": _like,
    "notlike": lambda value, wanted: not _like(value, wanted),
    "in": _holds_in,
    "notin": lambda value, wanted: not _holds_in(value, wanted),
    "contains": lambda value, wanted: _text(wanted) in _text(value),
    "notcontains": lambda value, wanted: _text(wanted) not in _text(value),
    "containskey": lambda value, wanted: isinstance(value, dict) and any(_same(key, wanted) for key in value),
    "exists": _there,
    "greater": lambda value, wanted: _number(value) > _number(wanted),
    "greaterorequals": lambda value, wanted: _number(value) >= _number(wanted),
    "less": lambda value, wanted: _number(value) < _number(wanted),
    "lessorequals": lambda value, wanted: _number(value) <= _number(wanted),
}


# Effects


class Policies:
    """The policies in force."""

    def __init__(self) -> None:
        self.declared: list[Json] = []
        self._policies: list[Policy] = []

    def declare(self, declarations: Iterable[Any]) -> None:
        wanted = list(declarations)
        self._policies = [parse(item, f"policy {number}") for number, item in enumerate(wanted, 1)]
        self.declared = [dict(item) for item in wanted]

    def modified(self, write: Write) -> Json:
        """Return the body after the modifying policies."""
        body, resource = copy.deepcopy(write.body), copy.deepcopy(write.resource)
        for policy in self._policies:
            if policy.effect == "modify" and policy.concerns(resource):
                for operation in policy.operations:
                    change(body, resource, operation)
        return body

    def refusal(self, write: Write, scope: str) -> Refusal | None:
        """Return why the write is refused, or None: policies first, as in ARM."""
        denying = [item for item in self._policies if item.effect == "deny" and item.concerns(write.resource)]
        if denying:
            return _denied(write.resource, denying, scope)
        for policy in self._policies:
            if policy.effect != "refuse" or not policy.concerns(write.resource):
                continue
            if policy.most is None or (write.new and write.count >= policy.most):
                return Refusal(policy.status, policy.code, policy.message)
        return None


def _assignment(policy: Policy, scope: str) -> Json:
    return {
        "policyAssignment": {
            "name": policy.display_name,
            "id": f"{scope}/providers/Microsoft.Authorization/policyAssignments/{policy.name}",
        },
        "policyDefinition": {
            "name": policy.display_name,
            "id": f"{scope}/providers/Microsoft.Authorization/policyDefinitions/{policy.name}",
            "version": "1.0.0",
        },
    }


def _denied(resource: Json, policies: list[Policy], scope: str) -> Refusal:
    """Return the error as worded in learn.microsoft.com/azure/azure-resource-manager/troubleshooting/
    error-policy-requestdisallowedbypolicy."""
    name = str(resource.get("name", ""))
    identifiers = json.dumps([_assignment(policy, scope) for policy in policies], separators=(",", ":"))
    return gateway(
        403,
        "RequestDisallowedByPolicy",
        f"Resource '{name}' was disallowed by policy. Policy identifiers: '{identifiers}'.",
        target=name,
        additional_info=[{"type": "PolicyViolation", "info": _violation(policy, scope)} for policy in policies],
    )


def _violation(policy: Policy, scope: str) -> Json:
    identifiers = _assignment(policy, scope)
    return {
        "policyDefinitionDisplayName": policy.display_name,
        "policyDefinitionId": identifiers["policyDefinition"]["id"],
        "policyDefinitionName": policy.name,
        "policyDefinitionVersion": "1.0.0",
        "policyDefinitionEffect": "deny",
        "policyAssignmentId": identifiers["policyAssignment"]["id"],
        "policyAssignmentName": policy.name,
        "policyAssignmentDisplayName": policy.display_name,
        "policyAssignmentScope": scope,
        "policyAssignmentParameters": {},
        "policyExemptionIds": [],
    }
