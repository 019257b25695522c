"""Errors, and the envelopes in which Azure's services return them."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An error reply to a request.

    `gateway` marks errors of ARM itself (`x-ms-failure-cause: gateway`) from those of a service, which carry no such
    header (recorded traffic of Azure/azure-dev and Azure/azure-cli). `shape` is how the body is wrapped: `arm`
    ({"error": …}), `bare` ({"code", "message"}, as diagnostic settings return) or `raw` (extra is the body).
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
        gateway: bool = False,
        shape: str = "arm",
        extra: dict[str, Any] | None = None,
        additional_info: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.headers = dict(headers or {})
        self.gateway = gateway
        self.shape = shape
        self.extra = extra or {}
        self.additional_info = additional_info

    def body(self) -> Any:
        if self.shape == "raw":
            return self.extra
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        if self.details is not None:
            error["details"] = self.details
        if self.additional_info is not None:
            error["additionalInfo"] = self.additional_info
        if self.shape == "bare":
            return error
        return {"error": error, **self.extra}


def gateway(status: int, code: str, message: str, **more: Any) -> Refusal:
    """An error of ARM itself, before any service is involved."""
    return Refusal(status, code, message, gateway=True, **more)


def resource_not_found(type_name: str, name: str, group: str) -> Refusal:
    return gateway(
        404,
        "ResourceNotFound",
        f"The Resource '{type_name}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def group_not_found(name: str) -> Refusal:
    return gateway(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def parent_not_found(resource: str, parent: str) -> Refusal:
    return gateway(
        404,
        "ParentResourceNotFound",
        f"Failed to perform 'write' on resource(s) of type '{resource}', because the parent resource "
        f"'{parent}' could not be found.",
    )


def missing_registration(namespace: str) -> Refusal:
    """As recorded from Azure/azure-cli; azure-mgmt-core reads the namespace from the quotes in the message."""
    text = (
        f"The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found "
        "for how to register subscriptions."
    )
    return gateway(
        409,
        "MissingSubscriptionRegistration",
        text,
        details=[{"code": "MissingSubscriptionRegistration", "target": namespace, "message": text}],
    )


def authorization_failed(client: str, action: str, scope: str) -> Refusal:
    return gateway(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{client}' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please "
        "refresh your credentials.",
    )


def scope_locked(resource: str, scopes: list[str], verb: str) -> Refusal:
    """Message from github.com/hashicorp/terraform-provider-azurerm issues 17478 and 11770."""
    return gateway(
        409,
        "ScopeLocked",
        f"The scope '{resource}' cannot perform {verb} operation because following scope(s) are locked: "
        f"'{','.join(scopes)}'. Please remove the lock and try again.",
    )
