"""What rag-service is connected to: PostgreSQL, RabbitMQ and Qdrant."""

import aio_pika
import asyncpg
import httpx
from aio_pika.abc import AbstractExchange, AbstractRobustConnection

from app import config
from app.startup import Check, check_broker, wait_for

TABLE = """
CREATE TABLE IF NOT EXISTS dfns (
    id bigserial PRIMARY KEY,
    draft_id bigint NOT NULL,
    text text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
)
"""


class Connections:
    pool: asyncpg.Pool
    broker: AbstractRobustConnection
    exchange: AbstractExchange
    qdrant: httpx.AsyncClient

    async def open(self) -> None:
        limit = config.STARTUP_TIMEOUT_SECONDS
        self.pool = await wait_for(config.SERVICE, "postgresql", self._open_postgresql, limit)
        self.broker = await wait_for(config.SERVICE, "rabbitmq", self._open_rabbitmq, limit)
        self.qdrant = await wait_for(config.SERVICE, "qdrant", self._open_qdrant, limit)

    async def close(self) -> None:
        await self.qdrant.aclose()
        await self.broker.close()
        await self.pool.close()

    def checks(self) -> dict[str, Check]:
        return {
            "postgresql": lambda: self.pool.fetchval("SELECT 1"),
            "rabbitmq": lambda: check_broker(self.broker.connected),
            "qdrant": self._check_qdrant,
        }

    async def publish(self, routing_key: str, body: str) -> None:
        await self.exchange.publish(aio_pika.Message(body.encode()), routing_key, timeout=5)

    async def _open_postgresql(self) -> asyncpg.Pool:
        pool = await asyncpg.create_pool(
            config.POSTGRES_DSN,
            ssl=config.POSTGRES_SSL,
            min_size=1,
            max_size=config.POSTGRES_POOL_SIZE + config.POSTGRES_MAX_OVERFLOW,
            timeout=5,
        )
        await pool.execute(TABLE)
        return pool

    async def _open_rabbitmq(self) -> AbstractRobustConnection:
        broker = await aio_pika.connect_robust(
            host=config.RABBITMQ_HOST,
            port=config.RABBITMQ_PORT,
            login=config.RABBITMQ_USER,
            password=config.RABBITMQ_PASSWORD,
            virtualhost=config.RABBITMQ_VHOST,
            timeout=5,
        )
        channel = await broker.channel()
        self.exchange = await channel.declare_exchange(
            config.RABBITMQ_EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True
        )
        return broker

    async def _open_qdrant(self) -> httpx.AsyncClient:
        url = f"http://{config.QDRANT_HOST}:{config.QDRANT_PORT}"
        client = httpx.AsyncClient(base_url=url, timeout=5)
        path = f"/collections/{config.QDRANT_COLLECTION_NAME}"
        if (await client.get(path)).status_code == 404:
            vectors = {"vectors": {"size": config.QDRANT_VECTOR_SIZE, "distance": "Cosine"}}
            await client.put(path, json=vectors)
        (await client.get(path)).raise_for_status()
        return client

    async def _check_qdrant(self) -> None:
        (await self.qdrant.get("/healthz")).raise_for_status()
