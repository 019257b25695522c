"""The environment variables that DraftGenie's services read, as YAML to add to a configuration that has none.

The earlier script set these variables in code, so its configurations lack them. They match the shipped `config.yaml`.
"""

from __future__ import annotations

import yaml

from draftgenie_azure.config.keys import GENERATED
from draftgenie_azure.config.placeholders import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.config.raw import RawConfig

VARIABLES: dict[str, dict[str, dict[str, Any]]] = {
    "rabbitmq": {
        "environment": {
            "RABBITMQ_DEFAULT_USER": "draftgenie",
        },
        "secrets": {
            "RABBITMQ_DEFAULT_PASS": "{{ secrets.rabbitmq_password }}",
        },
    },
    "api_gateway": {
        "environment": {
            "NODE_ENV": "production",
            "LOG_LEVEL": "info",
            "CORS_ORIGIN": "{{ networking.cors_origin }}",
            "SWAGGER_ENABLED": "{{ networking.swagger_enabled }}",
            "SWAGGER_PATH": "{{ networking.swagger_path }}",
            "PORT": 3000,
            "JWT_EXPIRES_IN": "24h",
            "THROTTLE_TTL": 60000,
            "THROTTLE_LIMIT": 100,
            "SPEAKER_SERVICE_URL": "{{ services.speaker_service.url }}",
            "DRAFT_SERVICE_URL": "{{ services.draft_service.url }}",
            "RAG_SERVICE_URL": "{{ services.rag_service.url }}",
            "EVALUATION_SERVICE_URL": "{{ services.evaluation_service.url }}",
        },
        "secrets": {
            "JWT_SECRET": "{{ secrets.jwt_secret }}",
        },
    },
    "speaker_service": {
        "environment": {
            "NODE_ENV": "production",
            "LOG_LEVEL": "info",
            "CORS_ORIGIN": "{{ networking.cors_origin }}",
            "SWAGGER_ENABLED": "{{ networking.swagger_enabled }}",
            "SWAGGER_PATH": "{{ networking.swagger_path }}",
            "RABBITMQ_EXCHANGE": "draft-genie.events",
            "PORT": 3001,
        },
        "secrets": {
            "DATABASE_URL": "{{ postgresql.url }}",
            "RABBITMQ_URL": "{{ rabbitmq.url }}",
        },
    },
    "draft_service": {
        "environment": {
            "RABBITMQ_EXCHANGE": "draft-genie.events",
            "ENVIRONMENT": "production",
            "DEBUG": False,
            "LOG_LEVEL": "INFO",
            "CORS_ORIGINS": "{{ networking.cors_origins_json }}",
            "POSTGRES_POOL_SIZE": 5,
            "POSTGRES_MAX_OVERFLOW": 5,
            "QDRANT_URL": "{{ services.qdrant.url }}",
            "QDRANT_COLLECTION_NAME": "correction_vectors",
            "QDRANT_VECTOR_SIZE": 768,
            "RABBITMQ_QUEUE": "draft.events",
            "RABBITMQ_ROUTING_KEY": "draft.*",
            "GEMINI_EMBEDDING_DIMENSION": 768,
            "LOG_FORMAT": "json",
            "INSTANOTE_API_URL": "${INSTANOTE_API_URL:-https://instanote.invalid/api}",
        },
        "secrets": {
            "DATABASE_URL": "{{ postgresql.asyncpg_url }}",
            "RABBITMQ_URL": "{{ rabbitmq.url }}",
            "GEMINI_API_KEY": "{{ secrets.gemini_api_key }}",
            "INSTANOTE_API_KEY": "{{ secrets.instanote_api_key }}",
        },
    },
    "rag_service": {
        "environment": {
            "RABBITMQ_EXCHANGE": "draft-genie.events",
            "ENVIRONMENT": "production",
            "DEBUG": False,
            "LOG_LEVEL": "INFO",
            "CORS_ORIGINS": "{{ networking.cors_origins_json }}",
            "POSTGRES_POOL_SIZE": 5,
            "POSTGRES_MAX_OVERFLOW": 5,
            "RABBITMQ_HOST": "{{ rabbitmq.host }}",
            "RABBITMQ_PORT": "{{ rabbitmq.port }}",
            "RABBITMQ_USER": "{{ rabbitmq.user }}",
            "RABBITMQ_VHOST": "/",
            "QDRANT_HOST": "{{ services.qdrant.host }}",
            "QDRANT_PORT": "{{ services.qdrant.port }}",
            "QDRANT_COLLECTION_NAME": "correction_vectors",
            "QDRANT_VECTOR_SIZE": 768,
            "SPEAKER_SERVICE_URL": "{{ services.speaker_service.url }}",
            "DRAFT_SERVICE_URL": "{{ services.draft_service.url }}",
        },
        "secrets": {
            "DATABASE_URL": "{{ postgresql.asyncpg_url }}",
            "RABBITMQ_PASSWORD": "{{ rabbitmq.password }}",
            "GEMINI_API_KEY": "{{ secrets.gemini_api_key }}",
        },
    },
    "evaluation_service": {
        "environment": {
            "RABBITMQ_EXCHANGE": "draft-genie.events",
            "ENVIRONMENT": "production",
            "DEBUG": False,
            "LOG_LEVEL": "INFO",
            "CORS_ORIGINS": "{{ networking.cors_origins_json }}",
            "POSTGRES_POOL_SIZE": 5,
            "POSTGRES_MAX_OVERFLOW": 5,
            "RABBITMQ_HOST": "{{ rabbitmq.host }}",
            "RABBITMQ_PORT": "{{ rabbitmq.port }}",
            "RABBITMQ_USER": "{{ rabbitmq.user }}",
            "RABBITMQ_VHOST": "/",
            "RABBITMQ_EXCHANGE_TYPE": "topic",
            "POSTGRES_HOST": "{{ postgresql.host }}",
            "POSTGRES_PORT": "{{ postgresql.port }}",
            "POSTGRES_USER": "{{ postgresql.login }}",
            "POSTGRES_DB": "{{ postgresql.database }}",
            "SPEAKER_SERVICE_URL": "{{ services.speaker_service.url }}",
            "DRAFT_SERVICE_URL": "{{ services.draft_service.url }}",
            "RAG_SERVICE_URL": "{{ services.rag_service.url }}",
            "SENTENCE_TRANSFORMER_MODEL": "all-MiniLM-L6-v2",
        },
        "secrets": {
            "POSTGRES_PASSWORD": "{{ postgresql.password }}",
            "RABBITMQ_PASSWORD": "{{ rabbitmq.password }}",
        },
    },
}
MIGRATIONS: list[dict[str, Any]] = [
    {
        "service": "speaker_service",
        "command": "npx prisma db push --skip-generate",
        "working_directory": "/app",
    }
]



def without_variables(raw: RawConfig) -> list[str]:
    """Return the keys of built services without any variable, and of a broker without its user."""
    services = raw.get("services")
    return [
        key
        for key, service in (services if isinstance(services, dict) else {}).items()
        if isinstance(service, dict)
        and not (service.get("environment") or service.get("secrets"))
        and (not service.get("image") or key in VARIABLES)
    ]


def missing(raw: RawConfig) -> str:
    """Return YAML with the missing parts, to be merged or passed as a later file; empty if nothing is missing."""
    found: dict[str, Any] = {}
    services = {key: _usable(raw, VARIABLES[key]) for key in without_variables(raw) if key in VARIABLES}
    if services:
        found["services"] = services
    secrets = _missing_secrets(raw, services)
    if secrets:
        found["secrets"] = secrets
    if services and raw.get("migrations") is None and "speaker_service" in services:
        found["migrations"] = MIGRATIONS
    return yaml.safe_dump(found, sort_keys=False, default_flow_style=False, width=1000) if found else ""


def _usable(raw: RawConfig, block: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a service's variables, leaving out those that refer to sections the configuration lacks."""
    return {
        section: {name: value for name, value in variables.items() if _is_known(raw, str(value))}
        for section, variables in block.items()
    }


def _is_known(raw: RawConfig, value: str) -> bool:
    for name in names(value):
        section, _, rest = name.partition(".")
        if section == "services" and not raw.get(f"services.{rest.partition('.')[0]}"):
            return False
        if section == "rabbitmq" and not raw.get("services.rabbitmq"):
            return False
        if section == "postgresql" and not raw.get("postgresql"):
            return False
    return True


def _missing_secrets(raw: RawConfig, services: Mapping[str, Any]) -> dict[str, str]:
    """Return definitions of the secrets that these variables use and the configuration lacks, by key."""
    given = raw.get("secrets")
    values = [value for block in services.values() for variables in block.values() for value in variables.values()]
    used = {name for value in values for name in names(str(value))}
    wanted = {name.removeprefix("secrets.") for name in used if name.startswith("secrets.")}
    if any(name.startswith("rabbitmq.") for name in used):
        wanted.add("rabbitmq_password")
    absent = sorted(wanted - set(given if isinstance(given, dict) else {}))
    return {name: "" if name in GENERATED else f"${{{name.upper()}}}" for name in absent}
