"""The environment of rag-service, read once at import. An empty value counts as absent."""

import json
import os

SERVICE = "rag-service"


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


DATABASE_URL = _text("DATABASE_URL", "postgresql+asyncpg://postgres:postgres@localhost:5432/rag")
# The dialect of SQLAlchemy's asynchronous engine: postgresql+asyncpg://login:password@host/name?ssl=require.
# asyncpg itself wants the plain scheme, and TLS as an argument.
_DIALECT = "postgresql+asyncpg://"
if not DATABASE_URL.startswith(_DIALECT):
    raise _fail(f"DATABASE_URL must begin with {_DIALECT}")
_address, _, _query = DATABASE_URL.removeprefix(_DIALECT).partition("?")
_options = dict(part.partition("=")[::2] for part in _query.split("&") if part)
if set(_options) - {"ssl"}:
    raise _fail(f"DATABASE_URL has options this driver does not know: {', '.join(sorted(set(_options) - {'ssl'}))}")
POSTGRES_DSN = f"postgresql://{_address}"
POSTGRES_SSL = _options.get("ssl", "prefer")
POSTGRES_POOL_SIZE = _number("POSTGRES_POOL_SIZE", 10)
POSTGRES_MAX_OVERFLOW = _number("POSTGRES_MAX_OVERFLOW", 20)

QDRANT_HOST = _text("QDRANT_HOST", "localhost")
QDRANT_PORT = _number("QDRANT_PORT", 6333)
QDRANT_COLLECTION_NAME = _text("QDRANT_COLLECTION_NAME", "correction_vectors")
QDRANT_VECTOR_SIZE = _number("QDRANT_VECTOR_SIZE", 768)

RABBITMQ_HOST = _text("RABBITMQ_HOST", "localhost")
RABBITMQ_PORT = _number("RABBITMQ_PORT", 5672)
RABBITMQ_USER = _text("RABBITMQ_USER", "guest")
RABBITMQ_PASSWORD = _text("RABBITMQ_PASSWORD", "guest")
RABBITMQ_VHOST = _text("RABBITMQ_VHOST", "/")
RABBITMQ_EXCHANGE = _text("RABBITMQ_EXCHANGE", "draft-genie.events")

SPEAKER_SERVICE_URL = _text("SPEAKER_SERVICE_URL", "http://localhost:3001")
DRAFT_SERVICE_URL = _text("DRAFT_SERVICE_URL", "http://localhost:3002")
API_V1_PREFIX = _text("API_V1_PREFIX", "/api/v1")

# Read as the real service reads them; nothing outside is called.
GEMINI_API_KEY = _text("GEMINI_API_KEY")
GEMINI_MODEL = _text("GEMINI_MODEL", "gemini-pro")
GEMINI_EMBEDDING_MODEL = _text("GEMINI_EMBEDDING_MODEL", "embedding-001")

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
