"""evaluation-service: compares each finished note with its draft, as the notes are announced."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from app import config
from app.connections import Connections
from app.startup import report, set_up_logging

set_up_logging(config.LOG_LEVEL)
connections = Connections()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    await connections.open()
    yield
    await connections.close()


app = FastAPI(
    title=config.APP_NAME,
    version=config.APP_VERSION,
    debug=config.DEBUG,
    docs_url=config.DOCS_URL,
    redoc_url=config.REDOC_URL,
    openapi_url=config.OPENAPI_URL,
    lifespan=lifespan,
)
app.add_middleware(
    CORSMiddleware,
    allow_origins=config.CORS_ORIGINS,
    allow_credentials=config.CORS_ALLOW_CREDENTIALS,
    allow_methods=config.CORS_ALLOW_METHODS,
    allow_headers=config.CORS_ALLOW_HEADERS,
)


@app.get("/health")
@app.get("/health/ready")
async def health() -> dict[str, object]:
    return await report(config.SERVICE, config.APP_VERSION, connections.checks())


@app.get("/health/live")
async def live() -> dict[str, object]:
    return await report(config.SERVICE, config.APP_VERSION, {})


@app.get("/api/v1/evaluations")
async def evaluations() -> list[dict[str, object]]:
    rows = await connections.pool.fetch("SELECT id, dfn_id, score FROM evaluations ORDER BY id DESC LIMIT 100")
    return [dict(row) for row in rows]
