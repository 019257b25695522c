"""rag-service: makes the finished note (DFN) of a draft."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
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


class NewNote(BaseModel):
    draft_id: int


def finished(text: str) -> str:
    """The draft as a finished note: one space between words, a capital letter first, a full stop last."""
    words = " ".join(text.split())
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


@app.get(f"{config.API_V1_PREFIX}/dfns")
async def notes() -> list[dict[str, object]]:
    rows = await connections.pool.fetch("SELECT id, draft_id, text FROM dfns ORDER BY id DESC LIMIT 100")
    return [dict(row) for row in rows]


@app.post(f"{config.API_V1_PREFIX}/dfns", status_code=201)
async def new_note(new: NewNote) -> dict[str, object]:
    url = f"{config.DRAFT_SERVICE_URL.rstrip('/')}/api/v1/drafts/{new.draft_id}"
    try:
        async with httpx.AsyncClient(timeout=10, follow_redirects=True) as client:
            answer = await client.get(url)
    except httpx.HTTPError as error:
        raise HTTPException(502, "draft-service does not answer") from error
    if answer.status_code != 200:
        raise HTTPException(404 if answer.status_code == 404 else 502, "draft-service does not give this draft")
    draft = answer.json()["text"]
    text = finished(draft)
    note_id = await connections.pool.fetchval(
        "INSERT INTO dfns (draft_id, text) VALUES ($1, $2) RETURNING id", new.draft_id, text
    )
    await connections.publish("dfn.generated", json.dumps({"dfn_id": note_id, "draft": draft, "text": text}))
    return {"id": note_id, "text": text}
