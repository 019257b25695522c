"""Azure's rules for names, sizes, logins, passwords and tags: pure functions that return a message, or None if valid.

Sources: learn.microsoft.com, `azure-resource-manager/management/resource-name-rules` and `tag-resources`,
`container-apps/containers` (sizes); github.com/hashicorp/terraform-provider-azurerm (PostgreSQL's login and database
names); the Azure CLI's `containerapp` module (app names); Azure SDK for Python (Managed Redis).
"""

from __future__ import annotations

import re

_RULES: dict[str, tuple[str, str]] = {
    "resource_group": (
        r"(?=.{1,90}$)[\w\-.()]*[\w\-()]",
        "1–90 letters, digits, `_`, `-`, `.`, `(`, `)`, no dot at the end",
    ),
    "identity": (r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}", "3–128 letters, digits, `-`, `_`, the first a letter or digit"),
    "log_workspace": (
        r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]",
        "4–63 letters, digits, `-`, no hyphen at either end",
    ),
    "app_insights": (
        r"(?=.{1,260}$)[^%&\\?/#<>]*[^%&\\?/#<>. ]",
        r"1–260 characters without `%&\?/#<>`, no space or dot at the end",
    ),
    "container_registry": (r"[A-Za-z0-9]{5,50}", "5–50 letters and digits, nothing else"),
    "key_vault": (
        r"(?=.{3,24}$)[A-Za-z](?:-?[A-Za-z0-9])+",
        "3–24 letters, digits, single hyphens; first a letter, last no hyphen",
    ),
    "postgres_server": (
        r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
        "3–63 lower case letters, digits, `-`, no hyphen at either end",
    ),
    "postgres_database": (
        r"[A-Za-z_][A-Za-z0-9_-]{0,62}",
        "1–63 letters, digits, `_`, `-`, the first a letter or `_`",
    ),
    "managed_redis": (
        r"(?=.{1,60}$)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*",
        "1–60 letters, digits, single hyphens, none at either end",
    ),
    "redis": (
        r"(?=.{1,63}$)[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*",
        "1–63 letters, digits, single hyphens, none at either end",
    ),
    "environment": (
        r"[A-Za-z](?:[A-Za-z0-9-]{0,58}[A-Za-z0-9])",
        "2–60 letters, digits, `-`, the first a letter, no hyphen at the end",
    ),
    "container_app": (
        r"(?=.{2,32}$)(?!.*--)[a-z][a-z0-9-]*[a-z0-9]",
        "2–32 lower case letters, digits, single hyphens, the first a letter, no hyphen at the end",
    ),
    "domain": (
        r"(?=.{4,253}$)(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])",
        "a host name in lower case, such as app.example.com",
    ),
    "certificate": (
        r"(?=.{1,64}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?",
        "`managed`, or the name of a certificate in the environment: letters, digits, `.`, `-`",
    ),
    "storage_account": (r"[a-z0-9]{3,24}", "3–24 lower case letters and digits"),
    "file_share": (
        r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*",
        "3–63 lower case letters, digits, single hyphens, none at either end",
    ),
    "blob_container": (
        r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*",
        "3–63 lower case letters, digits, single hyphens, none at either end",
    ),
    "blob": (
        r"(?=.{1,1024}$)(?!.*[\x00-\x1f\x7f\\])(?:[^/]+/){0,253}[^/]*[^/.]",
        "1–1024 characters without control characters and `\\`, no dot or slash at the end",
    ),
    "vault_secret": (r"[0-9A-Za-z-]{1,127}", "1–127 letters, digits, `-`, after `_` became `-`"),
    "variable": (r"[A-Za-z_][A-Za-z0-9_.-]*", "letters, digits, `_`, `.`, `-`, the first a letter or `_`"),
    "project": (r"[A-Za-z][A-Za-z0-9_-]{0,40}", "1–41 letters, digits, `-`, `_`, the first a letter"),
    "service_key": (r"[A-Za-z][A-Za-z0-9_-]{0,63}", "1–64 letters, digits, `_`, `-`, the first a letter"),
    "location": (r"[A-Za-z][A-Za-z0-9 ]{1,40}", "an Azure region such as `eastus2`"),
}
_COMPILED = {kind: re.compile(pattern, re.ASCII) for kind, (pattern, _) in _RULES.items()}

_RESERVED_LOGINS = frozenset(("azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public"))
_RESERVED_TAGS = frozenset(("draftgenie-lineage", "draftgenie-migration", "incarnation"))
_TAG_LIMIT = 50 - len(_RESERVED_TAGS)
_PUBLISHED = re.compile(
    r"(?:your|my)[-_ ].*|<.*>|change[-_ ]?(?:me|this|it).*|replace[-_ ]?(?:me|this|with).*|todo|placeholder.*|"
    r".*[-_ ]here|x{3,}|\.{3}|example|secret|password",
    re.IGNORECASE | re.DOTALL,
)


def pattern(kind: str) -> str:
    """Return the rule of a kind of name as a regular expression for the JSON Schema."""
    return f"^{_RULES[kind][0]}$"


def name_fault(kind: str, name: str) -> str | None:
    """Return the fault of a name for a kind of resource, or None."""
    if _COMPILED[kind].fullmatch(name):
        return None
    return f"must be {_RULES[kind][1]}"


def size_fault(cpu: float, memory: str) -> str | None:
    """Return the fault of a container's size, or None.

    0.25 to 4 vCPU in steps of 0.25, with 2 Gi of memory for each vCPU, on the Consumption profile of a workload
    profiles environment (learn.microsoft.com, `container-apps/containers`).
    """
    if fault := memory_fault(memory):
        return fault
    if cpu * 4 != int(cpu * 4) or cpu <= 0:
        return "cpu must be a multiple of 0.25"
    if cpu > 4:
        return "cpu must be at most 4 on the Consumption profile"
    if float(memory.removesuffix("Gi")) != cpu * 2:
        return f"cpu and memory must have the ratio 1:2 on the Consumption profile: {cpu:g} requires {cpu * 2:g}Gi"
    return None


def memory_fault(memory: str) -> str | None:
    """Return the fault of a memory size on any workload profile, or None."""
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?Gi", memory) and float(memory.removesuffix("Gi")) > 0:
        return None
    return "memory must be a number and `Gi`, such as 1Gi or 0.5Gi"


def login_fault(login: str) -> str | None:
    """Return the fault of a PostgreSQL administrator's login, or None."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", login):
        return "must be 1–63 letters, digits, `_`, the first a letter or `_`"
    if login.lower() in _RESERVED_LOGINS or login.lower().startswith("pg_"):
        return f"`{login}` is reserved, as are {', '.join(sorted(_RESERVED_LOGINS))} and names in pg_"
    return None


def password_fault(password: str, login: str) -> str | None:
    """Return the fault of a PostgreSQL administrator's password, or None; the message does not show the password."""
    kinds = sum(bool(re.search(kind, password)) for kind in (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^A-Za-z0-9]"))
    if not 8 <= len(password) <= 128:
        return "must be 8–128 characters long"
    if kinds < 3:
        return "must contain three of: upper case letters, lower case letters, digits, other characters"
    if login and login.lower() in password.lower():
        return "must not contain the login name"
    return None


def tag_faults(tags: dict[str, str]) -> list[tuple[str, str]]:
    """Return the faults of resource tags: pairs of a tag's name ("" for all of them) and the message."""
    faults = []
    seen: dict[str, str] = {}
    for name, value in tags.items():
        if len(name) > 128:
            faults.append((name, "a tag's name must have at most 128 characters"))
        if re.search(r"[<>%&\\?/]", name):
            faults.append((name, r"a tag's name must not contain any of `<>%&\?/`"))
        if len(value) > 256:
            faults.append((name, "a tag's value must have at most 256 characters"))
        if name.lower() in _RESERVED_TAGS:
            faults.append((name, "this tag is reserved for the deployment"))
        if (first := seen.setdefault(name.lower(), name)) != name:
            faults.append((name, f"tag names are case-insensitive: `{first}` is the same"))
    if len(tags) > _TAG_LIMIT:
        faults.append(("", f"at most {_TAG_LIMIT} tags: Azure allows 50, two are reserved for the deployment"))
    return faults


def postgres_tier(sku: str) -> str | None:
    """Return the tier of a size, or None if it is not a size of PostgreSQL Flexible Server."""
    match = re.fullmatch(r"Standard_([BDE])[0-9]+[a-z]*(?:_v[0-9]+)?", sku)
    return {"B": "Burstable", "D": "GeneralPurpose", "E": "MemoryOptimized"}[match[1]] if match else None


def vault_name(key: str) -> str:
    """Return the name of the vault secret for a key: `gemini_api_key` is `gemini-api-key`."""
    return re.sub(r"[^0-9a-z]+", "-", key.lower()).strip("-")


def is_published(value: str) -> bool:
    """Return whether a secret is a published example value, such as `your-gemini-api-key-here`."""
    return _PUBLISHED.fullmatch(value.strip()) is not None


def is_url_safe(value: str) -> bool:
    """Return whether a value needs no encoding in a URL."""
    return re.fullmatch(r"[A-Za-z0-9._~-]*", value) is not None
