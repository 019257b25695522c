"""Replays recorded exchanges with Azure against the emulator."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from emulator_client import AzureClient, Json
from recordings import PLACE, RUNNING, STAND_INS, Exchange, Outcome, differences, fitting_version
from replay_bodies import PASSWORD
from replay_setting import Began, Setting

SCALE = 0.1
AHEAD = 150
"""Seconds by which the clock goes forward to see the end of an operation: more than the longest one at this scale."""


# Replay


class Replay:
    """One sequence of exchanges of one recording, against an emptied emulator."""

    def __init__(self, azure: AzureClient) -> None:
        self.azure = azure
        self.polls: dict[str, str] = {}
        """Recorded poll addresses (their paths) and what the emulator gave in their place."""
        self.names: dict[str, str] = {}
        """Names that Azure minted (revisions, executions, runs) and the emulator's in their place."""
        self.known: dict[str, Json] = {}
        self.problems: dict[str, str] = {}
        """What ends badly later in the recording: the resource's `deploymentErrors`."""
        self.place = PLACE
        self.gone = 0.0

    def run(self, exchanges: list[Exchange]) -> Iterator[Outcome]:
        self.azure.attached.control("POST", "/control/reset")
        settings: Json = {"scale": SCALE, "images": {}, "faults": [], "tasks_allowed": True}
        self.azure.attached.control("POST", "/control/settings", settings)
        self.look_ahead(exchanges)
        for exchange in exchanges:
            try:
                found = self.one(self._ours(exchange))
            except (AssertionError, HttpResponseError) as error:
                found = [f"not replayed: {error}"]
            yield Outcome(exchange, found)

    def look_ahead(self, exchanges: list[Exchange]) -> None:
        """Yield the resources of this recording, and their bodies from GET."""
        for exchange in (self._ours(item) for item in exchanges):
            answer = exchange.answer if isinstance(exchange.answer, dict) else {}
            if exchange.method in ("GET", "PUT") and exchange.status < 300 and "properties" in answer:
                self.known.setdefault(str(answer.get("id", "")).lower(), answer)
                if (answer.get("properties") or {}).get("deploymentErrors"):
                    self.problems[answer["id"].lower()] = answer["properties"]["deploymentErrors"]
            sent = exchange.body if isinstance(exchange.body, dict) else {}
            place = answer.get("location") or sent.get("location")
            if place and self.place == PLACE:
                self.place = str(place)

    def _ours(self, exchange: Exchange) -> Exchange:
        """With this emulator's subscription and tenant, and substitutes for unsupported types."""
        text = json.dumps(exchange._asdict())
        text = re.sub(r"/subscriptions/[0-9a-f-]{36}", self.azure.subscription, text)
        text = re.sub(r'("tenantId": )"[0-9a-f-]{36}"', rf'\1"{self.azure.attached.tenant_id}"', text)
        foreign = "ClassicInfrastructureMigrate" in exchange.path
        text = re.sub(r"other-(\d+)-(\d+)", r"other\1x\2", text)  # a registry's name has no hyphen
        text = text.replace(
            '"administratorLoginPassword": "PLACEHOLDER"', f'"administratorLoginPassword": "{PASSWORD}"'
        )
        # The recorder took the key out.
        text = re.sub(
            r'("logAnalyticsConfiguration": \{"customerId": "[^"]+")(, "dyn)', r'\1, "sharedKey": "key"\2', text
        )
        for pattern, stand_in in STAND_INS:
            text = re.sub(pattern, stand_in, text)
        for theirs, ours in self.names.items():
            text = text.replace(theirs, ours)
        if foreign:
            # Older providers have one of what newer ones have several of.
            text = re.sub(r'"authorization": (\{[^}]*\})', r'"authorizations": [\1]', text)
        return Exchange(**json.loads(text))

    def one(self, exchange: Exchange) -> list[str]:
        if exchange.host:
            return OTHER_HOSTS[0](self, exchange).differences()
        parts = urlsplit(exchange.path)
        ours = self.polls.get(unquote(parts.path).lower())
        if ours is None and re.search(r"(?i)/\w*operation\w*/[^/]+$", parts.path):
            ours = Began(self, exchange).address()
        self._prepare(exchange, polled=ours is not None)
        exchange = self._ours(exchange)  # with the names that were learnt meanwhile
        self.declare_failure(exchange)
        url = ours or self._address(exchange)
        body: Json = {} if exchange.body is None else {"json": exchange.body}
        answer = self.azure.arm.send_request(HttpRequest(exchange.method, url, **body), retry_total=0)
        for header in ("azure-asyncoperation", "location"):
            theirs = urlsplit(exchange.answer_headers.get(header, "")).path
            if header in answer.headers and re.search(r"(?i)/\w*operation\w*/", theirs):
                self.polls[unquote(theirs).lower()] = answer.headers[header]
        content = answer.json() if answer.content else None
        return differences(exchange, answer.status_code, dict(answer.headers), content)

    def declare_failure(self, exchange: Exchange) -> None:
        """A failure of the service itself, or one without its cause, is declared as a fault here."""
        if exchange.status < 500 and not (exchange.status == 412 and exchange.answer is None):
            return
        error = (exchange.answer or {}).get("error") or {} if isinstance(exchange.answer, dict) else {}
        fault = {"method": exchange.method, "status": exchange.status, "code": error.get("code", "")}
        if isinstance(exchange.answer, str):
            fault["message"] = fault["code"] = exchange.answer
        self.azure.attached.control("POST", "/control/faults", {"faults": [fault]})

    def _address(self, exchange: Exchange) -> str:
        parts = urlsplit(exchange.path)
        found = re.search(r"api-version=([\w-]+)", parts.query)
        version = fitting_version(parts.path, found[1] if found else "")
        query = re.sub(r"api-version=[\w-]+", f"api-version={version}", parts.query)
        query = query if found else f"api-version={version}"
        return "{endpoint}" + quote(unquote(parts.path)) + "?" + query

    def problem(self, identifier: str | None) -> str:
        return self.problems.get((identifier or "").lower(), "")

    # What an exchange presupposes

    def _prepare(self, exchange: Exchange, *, polled: bool) -> None:
        if polled:
            running = exchange.status == 202 or (exchange.answer or {}).get("status") in RUNNING
            if not running:
                self.advance()
            return
        Setting(self, exchange).prepare()

    def advance(self, seconds: float = AHEAD) -> None:
        self.gone += seconds
        if self.gone > 3000:
            self.azure = AzureClient(self.azure.attached)  # before its token ends
            self.gone = 0.0
        self.azure.attached.control("POST", "/control/clock", {"advance": seconds})

    def exists(self, identifier: str) -> bool:
        return self.azure.call("GET", identifier, version=fitting_version(identifier, "")).status_code == 200

    def make(self, identifier: str, body: Json, *, wait: bool = True) -> None:
        version = fitting_version(identifier, "")
        answer = self.azure.call("PUT", identifier, body, version)
        assert answer.status_code < 300, f"cannot set up {identifier}: {answer.text()}\n{json.dumps(body)}"
        if wait:
            self.advance()
OTHER_HOSTS: list[Any] = []


class Elsewhere:
    """Exchanges with hosts other than ARM."""

    def __init__(self, replay: Replay, exchange: Exchange) -> None:
        self.replay = replay
        self.exchange = exchange

    def differences(self) -> list[str]:
        return ["not replayed"]
