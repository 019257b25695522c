"""The life cycles of writes to Container Apps (382 recorded PUTs of apps, 143 of environments; traffic of
Azure/azure-cli)."""

from __future__ import annotations

from dataclasses import replace

from azure_emulator.core.lifecycle import Work, in_location

_TIMEOUT = {"x-ms-async-operation-timeout": "PT15M"}


def _rows(what: str, path: str, final: str) -> tuple[Work, Work, Work]:
    """PUT, PATCH and DELETE: 201 with A, 202 with L, 202 with L."""
    put = Work(
        f"{what}.ready",
        (what, "provision"),
        "app",
        answers=201,
        sends="A",
        pace=15,
        status=in_location("Microsoft.App", f"{path}OperationStatuses"),
        result=in_location("Microsoft.App", f"{path}OperationResults"),
        final=final,
        headers=_TIMEOUT,
    )
    patch = replace(put, answers=202, sends="L", takes=(what, "update"), headers={})
    delete = replace(patch, effect=f"{what}.deleted", takes=(what, "delete"), status="", final="none")
    return put, patch, delete


APP_PUT, APP_PATCH, APP_DELETE = _rows("app", "containerapp", "app")
APP_PUT = replace(APP_PUT, effect="app.provision")
APP_PATCH = replace(APP_PATCH, effect="app.provision", takes=("app", "provision"), sends="A L")

JOB_PUT, JOB_PATCH, JOB_DELETE = _rows("job", "containerappsjob", "job")

ENVIRONMENT_PUT, ENVIRONMENT_PATCH, ENVIRONMENT_DELETE = _rows("environment", "managedEnvironment", "environment")
ENVIRONMENT_PUT = replace(ENVIRONMENT_PUT, takes=("environment", "create"))
ENVIRONMENT_CHANGE = replace(ENVIRONMENT_PUT, takes=("environment", "update"))

MANAGED_CERTIFICATE_PUT = replace(
    ENVIRONMENT_PUT,
    effect="managedCertificate.ready",
    takes=("managed certificate", "create"),
    status=in_location("Microsoft.App", "managedCertificateOperationStatuses"),
    result="",
    final="managedCertificate",
)
