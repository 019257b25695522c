"""The bodies of run requests: a quick build, a task's YAML in the request or in the context, or a task by its id."""

from __future__ import annotations

from typing import Any

from azure_emulator.core import rules
from azure_emulator.core.errors import Refusal

Json = dict[str, Any]
PLATFORM: Json = {
    "os!": rules.OneOf("Linux", "Windows"),
    "architecture": rules.OneOf("amd64", "x86", "386", "arm", "arm64"),
    "variant": rules.TEXT,
}
CREDENTIALS: Json = {
    "sourceRegistry": {"loginMode": rules.TEXT, "identity": rules.TEXT},
    "customRegistries": rules.OBJECT,
}
ARGUMENTS = [{"name!": rules.TEXT, "value!": rules.TEXT, "isSecret": rules.FLAG}]
AGENT: Json = {"cpu": rules.WHOLE}
_COMMON: Json = {
    "type!": rules.TEXT,
    "isArchiveEnabled": rules.FLAG,
    "agentPoolName": rules.TEXT,
    "logTemplate": rules.TEXT,
}
_AGENT: Json = {
    "sourceLocation": rules.TEXT,
    "timeout": rules.Whole(300, 28800),
    "agentConfiguration": AGENT,
    "platform!": PLATFORM,
    "credentials": CREDENTIALS,
}
RULES: dict[str, Json] = {
    "DockerBuildRequest": {
        **_COMMON,
        **_AGENT,
        "dockerFilePath!": rules.Text(least=1),
        "imageNames": rules.TEXTS,
        "isPushEnabled": rules.FLAG,
        "noCache": rules.FLAG,
        "target": rules.TEXT,
        "arguments": ARGUMENTS,
    },
    "EncodedTaskRunRequest": {
        **_COMMON,
        **_AGENT,
        "encodedTaskContent!": rules.Text(least=1),
        "encodedValuesContent": rules.TEXT,
        "values": ARGUMENTS,
    },
    "FileTaskRunRequest": {
        **_COMMON,
        **_AGENT,
        "taskFilePath!": rules.Text(least=1),
        "valuesFilePath": rules.TEXT,
        "values": ARGUMENTS,
    },
    "TaskRunRequest": {
        **_COMMON,
        "taskId!": rules.Text(least=1),
        "overrideTaskStepProperties": rules.OBJECT,
    },
}


def cleaned(body: Json) -> Json:
    """Return a run request in canonical form, by its type."""
    kind = {name.lower(): name for name in RULES}.get(str(body.get("type", "")).lower())
    if kind is None:
        raise Refusal(
            400,
            "InvalidRequestContent",
            f"The request content was invalid: the type is one of {', '.join(RULES)}, not {body.get('type')!r}.",
            target="type",
        )
    return {**rules.clean(body, RULES[kind]), "type": kind}


def without_secrets(request: Json) -> Json:
    """Return a request for display, with secret values emptied."""
    shown = dict(request)
    for key in ("arguments", "values"):
        if key in shown:
            shown[key] = [{**item, **({"value": ""} if item.get("isSecret") else {})} for item in shown[key]]
    return shown
