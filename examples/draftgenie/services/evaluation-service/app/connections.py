"""What evaluation-service is connected to: PostgreSQL and RabbitMQ."""

import json
from difflib import SequenceMatcher

import aio_pika
import asyncpg
from aio_pika.abc import AbstractIncomingMessage, AbstractRobustConnection

from app import config
from app.startup import Check, check_broker, wait_for

TABLE = """
CREATE TABLE IF NOT EXISTS evaluations (
    id bigserial PRIMARY KEY,
    dfn_id bigint NOT NULL,
    score double precision NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
)
"""


class Connections:
    pool: asyncpg.Pool
    broker: AbstractRobustConnection

    async def open(self) -> None:
        limit = config.STARTUP_TIMEOUT_SECONDS
        self.pool = await wait_for(config.SERVICE, "postgresql", self._open_postgresql, limit)
        self.broker = await wait_for(config.SERVICE, "rabbitmq", self._open_rabbitmq, limit)

    async def close(self) -> None:
        await self.broker.close()
        await self.pool.close()

    def checks(self) -> dict[str, Check]:
        return {
            "postgresql": lambda: self.pool.fetchval("SELECT 1"),
            "rabbitmq": lambda: check_broker(self.broker.connected),
        }

    async def _open_postgresql(self) -> asyncpg.Pool:
        pool = await asyncpg.create_pool(
            host=config.POSTGRES_HOST,
            port=config.POSTGRES_PORT,
            user=config.POSTGRES_USER,
            password=config.POSTGRES_PASSWORD,
            database=config.POSTGRES_DB,
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
        exchange = await channel.declare_exchange(config.RABBITMQ_EXCHANGE, config.RABBITMQ_EXCHANGE_TYPE, durable=True)
        queue = await channel.declare_queue(config.RABBITMQ_QUEUE, durable=True)
        await queue.bind(exchange, "dfn.generated")
        await queue.consume(self._on_note)
        return broker

    async def _on_note(self, message: AbstractIncomingMessage) -> None:
        async with message.process():
            note = json.loads(message.body)
            score = SequenceMatcher(None, note["draft"], note["text"]).ratio()
            await self.pool.execute("INSERT INTO evaluations (dfn_id, score) VALUES ($1, $2)", note["dfn_id"], score)
