"""The environment of draft-service, read once at import. An empty value counts as absent."""

import json
import os

SERVICE = "draft-service"


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


_REQUIRED = (
    "DATABASE_URL",
    "QDRANT_URL",
    "RABBITMQ_URL",
    "GEMINI_API_KEY",
    "INSTANOTE_API_URL",
    "INSTANOTE_API_KEY",
)
_missing = [name for name in _REQUIRED if not os.environ.get(name)]
if _missing:
    raise _fail(f"required environment variables are not set: {', '.join(_missing)}")

DATABASE_URL = os.environ["DATABASE_URL"]
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

QDRANT_URL = os.environ["QDRANT_URL"]
QDRANT_API_KEY = _text("QDRANT_API_KEY")
QDRANT_COLLECTION_NAME = _text("QDRANT_COLLECTION_NAME", "correction_vectors")
QDRANT_VECTOR_SIZE = _number("QDRANT_VECTOR_SIZE", 768)

RABBITMQ_URL = os.environ["RABBITMQ_URL"]
RABBITMQ_EXCHANGE = _text("RABBITMQ_EXCHANGE", "draft-genie.events")
RABBITMQ_QUEUE = _text("RABBITMQ_QUEUE", "draft.events")
RABBITMQ_ROUTING_KEY = _text("RABBITMQ_ROUTING_KEY", "draft.*")

# Read as the real service reads them; nothing outside is called.
GEMINI_API_KEY = os.environ["GEMINI_API_KEY"]
GEMINI_MODEL = _text("GEMINI_MODEL", "gemini-pro")
GEMINI_EMBEDDING_DIMENSION = _number("GEMINI_EMBEDDING_DIMENSION", 768)
INSTANOTE_API_URL = os.environ["INSTANOTE_API_URL"]
INSTANOTE_API_KEY = os.environ["INSTANOTE_API_KEY"]

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
