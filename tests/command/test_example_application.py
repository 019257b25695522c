"""The stand-in application under examples/draftgenie: checks without Docker."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "examples" / "draftgenie"
JS_HEALTH = ("/api/v1/health", "/api/v1/health/ready", "/api/v1/health/live")
PY_HEALTH = ("/health", "/health/ready", "/health/live")


@dataclass(frozen=True)
class Service:
    name: str
    directory: str
    port: int
    paths: tuple[str, ...]
    required: tuple[str, ...] = ()

    @property
    def python(self) -> bool:
        return (ROOT / self.directory / "pyproject.toml").exists()

    @property
    def dockerfile(self) -> Path:
        return ROOT / "docker" / f"Dockerfile.{self.name}"


GATEWAY = Service(
    "api-gateway", "services/api-gateway", 3000, ("/api/v1/health", "/api/v1/health/services"), ("JWT_SECRET",)
)
SPEAKER = Service("speaker-service", "apps/speaker-service", 3001, JS_HEALTH, ("DATABASE_URL",))
DRAFT = Service(
    "draft-service",
    "services/draft-service",
    3002,
    PY_HEALTH,
    ("DATABASE_URL", "QDRANT_URL", "RABBITMQ_URL", "GEMINI_API_KEY", "INSTANOTE_API_URL", "INSTANOTE_API_KEY"),
)
RAG = Service("rag-service", "services/rag-service", 3003, PY_HEALTH)
EVALUATION = Service("evaluation-service", "services/evaluation-service", 3004, PY_HEALTH)
SERVICES = (GATEWAY, SPEAKER, DRAFT, RAG, EVALUATION)
PYTHON_SERVICES = (DRAFT, RAG, EVALUATION)

PASSWORD = "hunter2hunter2"
DRAFT_ENVIRONMENT = {
    "DATABASE_URL": f"postgresql+asyncpg://login:{PASSWORD}@db.example.com:5432/drafts?ssl=require",
    "QDRANT_URL": "http://qdrant:6333",
    "RABBITMQ_URL": f"amqp://user:{PASSWORD}@rabbitmq:5672/",
    "GEMINI_API_KEY": "key",
    "INSTANOTE_API_URL": "https://instanote.example.com",
    "INSTANOTE_API_KEY": "key",
}

every_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
every_python_service = pytest.mark.parametrize("service", PYTHON_SERVICES, ids=lambda service: service.name)


def copied_from_context(dockerfile: Path) -> list[str]:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    return [source for sources in copies for source in sources.split()]


def source_of(service: Service) -> str:
    files = sorted((ROOT / service.directory / ("app" if service.python else "src")).iterdir())
    return "\n".join(file.read_text(encoding="utf-8") for file in files if file.suffix in (".py", ".js"))


def bare_environment(**variables: str) -> dict[str, str]:
    """Return the minimal environment of a process, and `variables`, without any of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **variables}


# The images


@every_service
def test_everything_a_dockerfile_copies_exists(service: Service) -> None:
    sources = copied_from_context(service.dockerfile)

    assert sources
    assert [source for source in sources if not list(ROOT.glob(source.rstrip("/")))] == []


@every_service
def test_an_image_holds_its_own_service_and_no_other(service: Service) -> None:
    sources = [source.rstrip("/") for source in copied_from_context(service.dockerfile)]

    if service.python:
        assert sources == [f"{service.directory}/pyproject.toml", f"{service.directory}/app"]
    else:
        assert sources == ["package*.json", service.directory, "libs/js"]


@every_service
def test_a_dockerfile_has_two_stages_no_argument_and_a_plain_user(service: Service) -> None:
    lines = service.dockerfile.read_text(encoding="utf-8").splitlines()

    assert len([line for line in lines if line.startswith("FROM ")]) == 2
    assert not [line for line in lines if line.startswith("ARG")]
    assert "USER 1001" in lines
    assert lines[-1].startswith("CMD [")


@every_service
def test_port_and_health_paths_are_those_of_the_table(service: Service) -> None:
    dockerfile = service.dockerfile.read_text(encoding="utf-8")
    source = source_of(service)

    assert re.findall(r"^EXPOSE (\d+)$", dockerfile, re.MULTILINE) == [str(service.port)]
    if service.python:
        assert f'"--port", "{service.port}"]' in dockerfile
        assert set(re.findall(r'@app\.get\("(/health[^"]*)"\)', source)) == set(service.paths)
    else:
        assert f"port: {service.port}," in source
        assert set(re.findall(r"'GET (/api/v1/health[^']*)'", source)) == set(service.paths)


def test_the_migration_finds_its_schema_in_the_image() -> None:
    dockerfile = SPEAKER.dockerfile.read_text(encoding="utf-8")
    package = json.loads((ROOT / SPEAKER.directory / "package.json").read_text(encoding="utf-8"))

    assert "/app/apps/speaker-service/prisma /app/prisma" in dockerfile
    assert (ROOT / SPEAKER.directory / "prisma" / "schema.prisma").is_file()
    assert "prisma" in package["dependencies"]
    assert re.findall(r"^WORKDIR (.+)$", dockerfile, re.MULTILINE)[-1] == "/app"


def test_the_ignore_file_keeps_local_leftovers_out() -> None:
    rules = set((ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines())
    leftovers = {".git", "**/node_modules", "**/dist", "**/venv", "**/env", "**/.env", "**/__pycache__", "**/*.log"}

    assert leftovers <= rules
    assert list(ROOT.rglob(".dockerignore")) == [ROOT / ".dockerignore"]


# The Python services: the configuration alone, as the frameworks are not installed here


def import_config(service: Service, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import app.config"],
        cwd=ROOT / service.directory,
        env=bare_environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
    )


def environment_of(service: Service) -> dict[str, str]:
    return DRAFT_ENVIRONMENT if service is DRAFT else {}


@every_python_service
def test_a_python_service_compiles(service: Service) -> None:
    for file in (ROOT / service.directory / "app").glob("*.py"):
        compile(file.read_text(encoding="utf-8"), str(file), "exec")


def test_what_the_python_services_share_is_the_same_file() -> None:
    copies = {(ROOT / service.directory / "app" / "startup.py").read_bytes() for service in PYTHON_SERVICES}

    assert len(copies) == 1


@every_python_service
def test_a_complete_environment_is_accepted(service: Service) -> None:
    assert import_config(service, **environment_of(service)).stderr == ""


@pytest.mark.parametrize("name", DRAFT.required)
@pytest.mark.parametrize("empty", [False, True], ids=["absent", "empty"])
def test_a_missing_required_variable_stops_the_start_and_is_named(name: str, empty: bool) -> None:
    variables = {**DRAFT_ENVIRONMENT, name: ""}
    if not empty:
        del variables[name]

    result = import_config(DRAFT, **variables)

    assert result.returncode == 1
    assert result.stderr == f"draft-service cannot start: required environment variables are not set: {name}\n"


@every_python_service
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CORS_ORIGINS", "*", 'the environment variable CORS_ORIGINS must be a JSON list, such as ["*"]'),
        ("CORS_ORIGINS", '"*"', 'the environment variable CORS_ORIGINS must be a JSON list, such as ["*"]'),
        ("POSTGRES_POOL_SIZE", "ten", "the environment variable POSTGRES_POOL_SIZE must be a whole number"),
    ],
)
def test_a_variable_in_the_wrong_form_stops_the_start(service: Service, name: str, value: str, message: str) -> None:
    result = import_config(service, **{**environment_of(service), name: value})

    assert (result.returncode, result.stderr) == (1, f"{service.name} cannot start: {message}\n")


@pytest.mark.parametrize("service", [DRAFT, RAG], ids=lambda service: service.name)
@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"postgresql://login:{PASSWORD}@host/name", "DATABASE_URL must begin with postgresql+asyncpg://"),
        (
            f"postgresql+asyncpg://login:{PASSWORD}@host/name?sslmode=require",
            "DATABASE_URL has options this driver does not know: sslmode",
        ),
    ],
)
def test_the_other_dialect_of_database_urls_is_refused_without_quoting_it(
    service: Service, url: str, message: str
) -> None:
    result = import_config(service, **{**environment_of(service), "DATABASE_URL": url})

    assert (result.returncode, result.stderr) == (1, f"{service.name} cannot start: {message}\n")


# The Node services really start: they need no package for it


@contextmanager
def running(service: Service, log: Path, **variables: str) -> Iterator[str]:
    """The address of `service`, started on a port that is free."""
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            ["node", str(ROOT / service.directory / "src" / "main.js")],
            env=bare_environment(PORT="0", **variables),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield f"http://127.0.0.1:{port_of(process, log)}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def port_of(process: subprocess.Popen[bytes], log: Path) -> str:
    """The port that a service says it listens on."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        said = re.search(r"listens on (\d+)\D", log.read_text(encoding="utf-8"))
        if said is not None:
            return said[1]
        time.sleep(0.05)
    pytest.fail(f"the service did not start: {log.read_text(encoding='utf-8')}")


def get(url: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.program("node")
@pytest.mark.parametrize("service", [GATEWAY, SPEAKER], ids=lambda service: service.name)
def test_a_node_service_names_the_missing_required_variable(service: Service) -> None:
    result = subprocess.run(
        ["node", str(ROOT / service.directory / "src" / "main.js")],
        env=bare_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )

    missing = service.required[0]
    assert result.returncode == 1
    assert result.stderr == f"{service.name} cannot start: the environment variable {missing} is required and not set\n"


@pytest.mark.program("node")
def test_speaker_tells_its_dependencies_down_and_still_answers_200(tmp_path: Path) -> None:
    variables = {
        "DATABASE_URL": f"postgresql://login:{PASSWORD}@127.0.0.1:1/speaker?sslmode=require",
        "RABBITMQ_URL": f"amqp://user:{PASSWORD}@127.0.0.1:1/",
    }
    log = tmp_path / "log"

    with running(SPEAKER, log, **variables) as address:
        answers = {path: get(address + path) for path in SPEAKER.paths}

    assert {status for status, _ in answers.values()} == {200}
    health = json.loads(answers["/api/v1/health"][1])
    assert (health["status"], health["service"]) == ("degraded", "speaker-service")
    assert health["dependencies"]["postgresql"].startswith("down: ")
    assert health["dependencies"]["rabbitmq"] == "down: ECONNREFUSED"
    assert json.loads(answers["/api/v1/health/live"][1])["status"] == "ok"
    assert PASSWORD not in json.dumps(answers) + log.read_text(encoding="utf-8")


@pytest.mark.program("node")
def test_speaker_starts_without_a_broker(tmp_path: Path) -> None:
    with running(SPEAKER, tmp_path / "log", DATABASE_URL="postgresql://login@127.0.0.1:1/speaker") as address:
        status, body = get(f"{address}/api/v1/health")

    assert (status, json.loads(body)["dependencies"]["rabbitmq"]) == (200, "off")


@pytest.mark.program("node")
def test_the_gateway_tells_which_services_are_down(tmp_path: Path) -> None:
    speaker = {"DATABASE_URL": "postgresql://login@127.0.0.1:1/speaker"}

    with socket.socket() as held, running(SPEAKER, tmp_path / "speaker", **speaker) as behind:
        held.bind(("127.0.0.1", 0))  # and does not listen
        nowhere = f"http://127.0.0.1:{held.getsockname()[1]}"
        urls = {f"{name}_SERVICE_URL": nowhere for name in ("DRAFT", "RAG", "EVALUATION")}
        with running(GATEWAY, tmp_path / "gateway", JWT_SECRET="secret", SPEAKER_SERVICE_URL=behind, **urls) as address:
            own = get(f"{address}/api/v1/health")
            services = get(f"{address}/api/v1/health/services")

    assert (own[0], json.loads(own[1])["status"]) == (200, "ok")
    assert services[0] == 200
    body = json.loads(services[1])
    assert body["status"] == "degraded"
    assert body["dependencies"] == {
        "speaker-service": "down: status degraded",
        "draft-service": "down: ECONNREFUSED",
        "rag-service": "down: ECONNREFUSED",
        "evaluation-service": "down: ECONNREFUSED",
    }


@pytest.mark.program("node")
def test_the_gateway_lets_only_known_callers_through(tmp_path: Path) -> None:
    variables = {"JWT_SECRET": "secret", "API_KEYS": "first, second", "SPEAKER_SERVICE_URL": "http://127.0.0.1:1"}

    with running(GATEWAY, tmp_path / "log", **variables) as address:
        speakers = f"{address}/api/v1/speakers"
        stranger = get(speakers)[0]
        forged = get(speakers, authorization="Bearer a.b.c")[0]
        known = get(speakers, **{"x-api-key": "second"})[0]
        unknown_path = get(f"{address}/api/v1/nothing")[0]

    assert (stranger, forged, known, unknown_path) == (401, 401, 502, 404)


@pytest.mark.program("node")
@pytest.mark.parametrize(("enabled", "status"), [("true", 200), ("false", 404)])
def test_the_gateway_shows_its_documents_unless_switched_off(tmp_path: Path, enabled: str, status: int) -> None:
    with running(GATEWAY, tmp_path / "log", JWT_SECRET="secret", SWAGGER_ENABLED=enabled) as address:
        assert get(f"{address}/api/docs")[0] == status
