"""What the three Python services do alike: wait for what they need at start, and tell of their health.

The same file in each service, since an image holds nothing but its own app/.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
Check = Callable[[], Awaitable[object]]
PAUSE_SECONDS = 2.0
PATIENCE_SECONDS = 3.0
CONNECT_SECONDS = 15.0

log = logging.getLogger("app")


def set_up_logging(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses


async def wait_for(service: str, dependency: str, connect: Callable[[], Awaitable[T]], seconds: float) -> T:
    """What `connect` returns, tried until `seconds` are over; then the process ends with code 1 and one line.

    Errors are named by their class alone: a text may quote an address with a password in it.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await connect()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            reason = type(error).__name__
        if loop.time() >= deadline:
            sys.stderr.write(f"{service} cannot start: no connection to {dependency} ({reason})\n")
            sys.stderr.flush()
            os._exit(1)  # an exception would reach uvicorn, which makes a stack trace and another exit code of it
        log.warning("waiting for %s (%s)", dependency, reason)
        await asyncio.sleep(PAUSE_SECONDS)


async def check_broker(connected: asyncio.Event) -> None:
    """The client library holds the connection and mends it; asking the broker again would open another one."""
    if not connected.is_set():
        raise ConnectionError


async def report(service: str, version: str, checks: dict[str, Check]) -> dict[str, object]:
    """The body of a health answer. It is always sent with 200: the truth is in here."""

    async def state(check: Check) -> str:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it means down
            return f"down: {type(error).__name__}"
        return "ok"

    states = await asyncio.gather(*(state(check) for check in checks.values()))
    status = "ok" if all(text == "ok" for text in states) else "degraded"
    return {
        "status": status,
        "service": service,
        "version": version,
        "dependencies": dict(zip(checks, states, strict=True)),
    }
