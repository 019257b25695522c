"""An image's behaviour is derived from the program that it starts, regardless of its other files."""

from __future__ import annotations

from typing import Any

import pytest

from azure_emulator.services.registry.dockerfile import Context, build

FILES = {
    "services/rag/main.py": "import os\nfrom settings import URL\nfrom shared.health import router\n",
    "services/rag/settings.py": 'import os\nURL = os.environ["QDRANT_URL"]\n',
    "services/other/main.py": 'import os\nos.environ["OTHER_SECRET"]\n',
    "libs/shared/__init__.py": "",
    "libs/shared/health.py": 'PATH = "/health"\n',
    "apps/gateway/src/main.ts": (
        'import { requireEnv } from "@acme/env";\nimport "./routes";\nrequireEnv("JWT_SECRET");\n'
    ),
    "apps/gateway/src/routes.ts": 'router.get("/health/live", ok);\n',
    "apps/gateway/package.json": '{"name": "@acme/gateway", "scripts": {"start": "node dist/main.js"}}',
    "libs/env/package.json": '{"name": "@acme/env", "main": "src/index.js"}',
    "libs/env/src/index.ts": 'requireEnv("LIBRARY_KEY");\n',
    "package.json": '{"name": "acme", "workspaces": ["apps/*"], "scripts": {"start": "node server.js"}}',
    "server.js": 'requireEnv("ROOT_SECRET");\n',
    "entry.sh": '#!/bin/sh\nset -e\npython -m alembic upgrade head\nexec "$@"\n',
}


def behaviour(*lines: str, **files: str) -> dict[str, Any]:
    content = {**FILES, **files, "Dockerfile": "\n".join(lines)}
    return build(Context({name: text.encode() for name, text in content.items()}, "d"), "Dockerfile").behaviour


def test_a_python_service_beside_node_ones_is_a_python_service() -> None:
    found = behaviour(
        "FROM python:3.12",
        "COPY . /src",
        "WORKDIR /src/services/rag",
        "ENV PYTHONPATH=/src/libs",
        "EXPOSE 8000",
        'CMD ["uvicorn", "main:app", "--port", "8000"]',
    )

    assert (found["language"], found["requires"], found["port"]) == ("python", ["QDRANT_URL"], 8000)
    assert "/health" in found["paths"]


@pytest.mark.parametrize(
    "start",
    [
        'CMD ["python", "main.py"]',
        "CMD python -u main.py",
        'CMD ["python", "-m", "uvicorn", "main:app"]',
        "CMD exec gunicorn -w 2 main:app",
        'ENTRYPOINT ["tini", "--", "python"]\nCMD ["main.py"]',
        'ENTRYPOINT ["/src/entry.sh"]\nCMD ["uvicorn", "main:app"]',
        'CMD ["uvicorn", "services.rag.main:app", "--app-dir", "/src"]',
        'CMD ["sh", "-c", "sleep 1 && uvicorn main:app --port ${PORT:-80}"]',
        'CMD ["fastapi", "run", "main.py"]',
        'CMD ["poetry", "run", "uvicorn", "main:app"]',
    ],
)
def test_the_ways_to_start_a_python_program(start: str) -> None:
    found = behaviour(
        "FROM python:3.12", "COPY . /src", "WORKDIR /src/services/rag", "ENV PYTHONPATH=/src/libs", *start.split("\n")
    )

    assert (found["language"], "OTHER_SECRET" in found["requires"]) == ("python", False)
    if "services.rag" not in start:
        assert found["requires"] == ["QDRANT_URL"]


@pytest.mark.parametrize(
    ("workdir", "start"),
    [
        ("/src/apps/gateway", 'CMD ["node", "dist/main.js"]'),
        ("/src/apps/gateway", 'CMD ["npm", "start"]'),
        ("/src/apps/gateway", "CMD npm run start"),
        ("/src", 'CMD ["npm", "start", "--workspace", "apps/gateway"]'),
        ("/src", 'CMD ["npm", "start", "-w", "@acme/gateway"]'),
        ("/src", 'CMD ["node", "dist/apps/gateway/main.js"]'),
    ],
)
def test_the_ways_to_start_a_node_program_and_the_packages_it_loads(workdir: str, start: str) -> None:
    found = behaviour("FROM node:20", "COPY . /src", f"WORKDIR {workdir}", start)

    assert (found["language"], found["requires"]) == ("node", ["JWT_SECRET", "LIBRARY_KEY"])
    assert "/health/live" in found["paths"]


@pytest.mark.parametrize(
    "start", ["", 'CMD ["/usr/bin/caddy", "run"]', "CMD ./server", "CMD java -jar app.jar", 'CMD ["sh", "-c"]', "CMD {"]
)
def test_where_what_is_started_cannot_be_determined_nothing_is_assumed(start: str) -> None:
    found = behaviour("FROM base", "COPY . /src", "WORKDIR /src", start)

    assert (found["language"], found["requires"], found["paths"]) == (None, [], [])


def test_a_program_that_is_not_in_the_context_is_assumed_to_need_nothing() -> None:
    found = behaviour("FROM python:3.12", "COPY . /src", "WORKDIR /nowhere", 'CMD ["uvicorn", "main:app"]')

    assert (found["language"], found["requires"]) == ("python", [])


def test_files_of_another_stage_are_found_where_they_were_copied_to() -> None:
    found = behaviour(
        "FROM python:3.12 AS build",
        "WORKDIR /build",
        "COPY services/rag/ ./",
        "COPY libs libs",
        "FROM python:3.12",
        "WORKDIR /app",
        "COPY --from=build /build ./",
        "ENV PYTHONPATH=/app/libs",
        'CMD ["python", "main.py"]',
    )

    assert found["requires"] == ["QDRANT_URL"]


@pytest.mark.parametrize("start", ["CMD python main.py", 'CMD ["uvicorn", "main:app"]'])
def test_a_folder_that_the_base_image_sets_is_reported_by_the_one_file_that_fits(start: str) -> None:
    assert behaviour("FROM base", "COPY services/rag /app", start)["requires"] == ["QDRANT_URL"]
    assert behaviour("FROM base", "COPY services /app", start)["requires"] == []
