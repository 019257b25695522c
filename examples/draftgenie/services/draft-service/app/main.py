"""draft-service: keeps drafts, and tells the others of new ones."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel

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


class NewDraft(BaseModel):
    speaker_id: int
    text: str


@app.get("/api/v1/drafts")
async def drafts() -> list[dict[str, object]]:
    rows = await connections.pool.fetch("SELECT id, speaker_id, text FROM drafts ORDER BY id DESC LIMIT 100")
    return [dict(row) for row in rows]


@app.get("/api/v1/drafts/{draft_id}")
async def draft(draft_id: int) -> dict[str, object]:
    row = await connections.pool.fetchrow("SELECT id, speaker_id, text FROM drafts WHERE id = $1", draft_id)
    if row is None:
        raise HTTPException(404, "no such draft")
    return dict(row)


@app.post("/api/v1/drafts", status_code=201)
async def new_draft(new: NewDraft) -> dict[str, object]:
    draft_id = await connections.pool.fetchval(
        "INSERT INTO drafts (speaker_id, text) VALUES ($1, $2) RETURNING id", new.speaker_id, new.text
    )
    await connections.publish("draft.created", json.dumps({"draft_id": draft_id}))
    return {"id": draft_id}
