"""The environment of evaluation-service, read once at import. An empty value counts as absent."""

import json
import os

SERVICE = "evaluation-service"


def _fail(message: str) -> SystemExit:
    return SystemExit(f"{SERVICE} cannot start: {message}")


def _text(name: str, default: str = "") -> str:
    return os.environ.get(name) or default


def _number(name: str, default: int) -> int:
    try:
        return int(_text(name, str(default)))
    except ValueError:
        raise _fail(f"the environment variable {name} must be a whole number") from None


def _list(name: str, default: str) -> list[str]:
    try:
        value = json.loads(_text(name, default))
    except ValueError:
        value = None
    if not isinstance(value, list):
        raise _fail(f'the environment variable {name} must be a JSON list, such as ["*"]')
    return [str(item) for item in value]


POSTGRES_HOST = _text("POSTGRES_HOST", "localhost")
POSTGRES_PORT = _number("POSTGRES_PORT", 5432)
POSTGRES_USER = _text("POSTGRES_USER", "postgres")
POSTGRES_PASSWORD = _text("POSTGRES_PASSWORD", "postgres")
POSTGRES_DB = _text("POSTGRES_DB", "evaluation")
POSTGRES_POOL_SIZE = _number("POSTGRES_POOL_SIZE", 10)
POSTGRES_MAX_OVERFLOW = _number("POSTGRES_MAX_OVERFLOW", 20)

RABBITMQ_HOST = _text("RABBITMQ_HOST", "localhost")
RABBITMQ_PORT = _number("RABBITMQ_PORT", 5672)
RABBITMQ_USER = _text("RABBITMQ_USER", "guest")
RABBITMQ_PASSWORD = _text("RABBITMQ_PASSWORD", "guest")
RABBITMQ_VHOST = _text("RABBITMQ_VHOST", "/")
RABBITMQ_EXCHANGE = _text("RABBITMQ_EXCHANGE", "draft-genie.events")
RABBITMQ_EXCHANGE_TYPE = _text("RABBITMQ_EXCHANGE_TYPE", "topic")
RABBITMQ_QUEUE = _text("RABBITMQ_QUEUE", "evaluation.events")

# Read as the real service reads it; no model is loaded.
SENTENCE_TRANSFORMER_MODEL = _text("SENTENCE_TRANSFORMER_MODEL", "all-MiniLM-L6-v2")

ENVIRONMENT = _text("ENVIRONMENT", "development")
DEBUG = _text("DEBUG", "false").lower() in ("1", "true", "yes")
LOG_LEVEL = _text("LOG_LEVEL", "INFO")
APP_NAME = _text("APP_NAME", SERVICE)
APP_VERSION = _text("APP_VERSION", "1.0.0")
DOCS_URL = _text("DOCS_URL", "/docs")
REDOC_URL = _text("REDOC_URL", "/redoc")
OPENAPI_URL = _text("OPENAPI_URL", "/openapi.json")
CORS_ORIGINS = _list("CORS_ORIGINS", "[]")
CORS_ALLOW_CREDENTIALS = _text("CORS_ALLOW_CREDENTIALS", "false").lower() == "true"
CORS_ALLOW_METHODS = _list("CORS_ALLOW_METHODS", '["*"]')
CORS_ALLOW_HEADERS = _list("CORS_ALLOW_HEADERS", '["*"]')
STARTUP_TIMEOUT_SECONDS = _number("STARTUP_TIMEOUT_SECONDS", 60)
