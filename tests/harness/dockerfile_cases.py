"""Small Dockerfiles in the ways that people write them: by language, by layout of the repository, by what they use.

Each is about one fact. `VARIATIONS` write each in other ways that mean the same.
"""

# One case is better read on one long line than on several: # ruff: noqa: E501

from __future__ import annotations

import re
from collections.abc import Callable

CASES: dict[str, str] = {
    # Node
    "node plain": "FROM node:20\nWORKDIR /app\nCOPY package*.json ./\nRUN npm ci\nCOPY . .\nCMD [\"npm\", \"start\"]\n",
    "node two stages": (
        "FROM node:20-alpine AS build\nWORKDIR /app\nCOPY package.json package-lock.json ./\nRUN npm ci\n"
        "COPY src ./src\nRUN npm run build\nFROM nginx:alpine\nCOPY --from=build /app/dist /usr/share/nginx/html\n"
    ),
    "node npm cache": (
        "# syntax=docker/dockerfile:1\nFROM node:20\nCOPY package*.json ./\n"
        "RUN --mount=type=cache,target=/root/.npm \\\n    npm ci\nCOPY src src\n"
    ),
    "node npmrc secret": (
        "FROM node:20\nCOPY package.json .\nRUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm install\n"
    ),
    "node bind mounts": (
        "FROM node:20 AS deps\nWORKDIR /usr/src/app\nRUN --mount=type=bind,source=package.json,target=package.json \\\n"
        "    --mount=type=bind,source=package-lock.json,target=package-lock.json \\\n"
        "    --mount=type=cache,target=/root/.npm \\\n    npm ci --omit=dev\nUSER node\nCOPY lib lib\n"
    ),
    "node workspaces": (
        "FROM node:22 AS base\nFROM base AS deps\nCOPY package.json yarn.lock ./\nCOPY packages/a/package.json packages/a/\n"
        "COPY packages/b/package.json packages/b/\nRUN yarn --frozen-lockfile\nFROM base AS runner\n"
        "COPY --from=deps --chown=node:node /node_modules /node_modules\nCOPY apps/web apps/web\n"
    ),
    "node parents": "FROM node:22\nCOPY --parents packages/*/package.json ./\nRUN npm ci\n",
    "node next standalone": (
        "FROM node:20 AS builder\nCOPY public public\nCOPY next.config.* ./\nFROM node:20\n"
        "COPY --from=builder --chown=1001:1001 /app/.next/standalone ./\nENV PORT 3000\nEXPOSE 3000\n"
    ),
    "node nx": (
        "FROM node:20-alpine AS builder\nCOPY package*.json nx.json tsconfig*.json ./\nCOPY services/ ./services/\n"
        "COPY libs/ ./libs/\nRUN npx nx build api\nFROM node:20-alpine\nCOPY --from=builder /app/dist ./dist\n"
    ),
    "node pnpm fetch": (
        "FROM node:22-slim AS base\nENV PNPM_HOME=\"/pnpm\"\nENV PATH=\"$PNPM_HOME:$PATH\"\nRUN corepack enable\n"
        "FROM base AS prod\nCOPY pnpm-lock.yaml ./\nRUN --mount=type=cache,id=pnpm,target=/pnpm/store pnpm fetch --prod\n"
    ),
    # Python
    "python plain": "FROM python:3.12\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY app app\n",
    "python pip cache": (
        "FROM python:3.12\nCOPY requirements.txt .\nRUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt\n"
    ),
    "python poetry": (
        "FROM python:3.12 AS req\nCOPY pyproject.toml poetry.lock* /tmp/\nRUN poetry export > r.txt\nFROM python:3.12\n"
        "COPY --from=req /tmp/r.txt /r.txt\nCOPY ./src /src\n"
    ),
    "python uv image": (
        "FROM python:3.12-slim\nCOPY --from=ghcr.io/astral-sh/uv:0.5 /uv /uvx /bin/\nCOPY uv.lock pyproject.toml ./\nRUN uv sync\n"
    ),
    "python uv binds": (
        "FROM python:3.12-slim\nRUN --mount=type=cache,target=/root/.cache/uv \\\n    --mount=type=bind,source=uv.lock,target=uv.lock"
        " \\\n    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \\\n    uv sync --no-install-project\nCOPY src src\n"
    ),
    "python here-document": (
        "FROM python:3.12\nRUN <<EOF\napt-get update\napt-get install -y gcc\nEOF\nCOPY app.py /app.py\n"
    ),
    "python script here-document": "FROM python:3.12\nRUN python3 <<'PY'\nimport sys\nprint('FROM x')\nPY\nCOPY a.py /\n",
    "python wheels bind from": (
        "FROM python:3.12 AS wheels\nCOPY requirements.txt .\nFROM python:3.12\n"
        "RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels pip install /wheels/*\n"
    ),
    "python apt cache": (
        "FROM python:3.12\nRUN --mount=type=cache,target=/var/cache/apt,sharing=locked \\\n"
        "    --mount=type=cache,target=/var/lib/apt,sharing=locked \\\n    apt-get update && apt-get install -y git\n"
    ),
    # Go, Rust
    "go two stages": (
        "FROM golang:1.23 AS build\nWORKDIR /src\nCOPY go.mod go.sum ./\nRUN go mod download\nCOPY cmd cmd\n"
        "COPY internal internal\nRUN go build -o /app ./cmd/app\nFROM gcr.io/distroless/static\nCOPY --from=build /app /app\n"
    ),
    "go cross": (
        "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\nARG TARGETOS TARGETARCH\nCOPY . .\n"
        "RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build\nFROM alpine\nCOPY --from=build /app /app\n"
    ),
    "go caches": (
        "FROM golang:1.23\nCOPY go.* ./\nRUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build"
        " go build ./...\n"
    ),
    "go version argument": "ARG GO_VERSION=1.23\nFROM golang:${GO_VERSION}\nCOPY main.go .\nRUN go build\n",
    "go fixed platform": "FROM --platform=linux/amd64 golang:1.23\nCOPY main.go .\n",
    "rust caches": (
        "FROM rust:1.80 AS build\nCOPY Cargo.toml Cargo.lock ./\nCOPY src/ src/\n"
        "RUN --mount=type=cache,target=/usr/local/cargo/registry cargo build --release\nFROM debian\nCOPY --link --from=build /a /a\n"
    ),
    "rust tonistiigi": (
        "FROM --platform=$BUILDPLATFORM tonistiigi/xx AS xx\nFROM --platform=$BUILDPLATFORM rust:alpine\nCOPY --from=xx / /\n"
        "ARG TARGETPLATFORM\nRUN xx-info env\n"
    ),
    # JVM, .NET, PHP, Ruby
    "java jar": "FROM eclipse-temurin:21\nARG JAR_FILE=target/*.jar\nCOPY ${JAR_FILE} app.jar\nENTRYPOINT [\"java\",\"-jar\",\"/app.jar\"]\n",
    "java maven": (
        "FROM maven:3 AS build\nCOPY pom.xml .\nCOPY src ./src\nRUN --mount=type=cache,target=/root/.m2 mvn package\n"
        "FROM eclipse-temurin:21-jre\nCOPY --from=build /target/*.jar /app.jar\n"
    ),
    "java gradle": "FROM gradle:8 AS build\nCOPY --chown=gradle:gradle . /home/gradle/src\nRUN gradle build --no-daemon\n",
    "dotnet": (
        "FROM mcr.microsoft.com/dotnet/sdk:9.0 AS build\nWORKDIR /source\nCOPY *.sln .\nCOPY aspnetapp/*.csproj ./aspnetapp/\n"
        "RUN dotnet restore\nCOPY aspnetapp/. ./aspnetapp/\nRUN dotnet publish -o /app\n"
        "FROM mcr.microsoft.com/dotnet/aspnet:9.0\nCOPY --from=build /app ./\n"
    ),
    "dotnet target architecture": (
        "FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:9.0 AS build\nARG TARGETARCH\nCOPY *.csproj .\n"
        "RUN dotnet restore -a $TARGETARCH\n"
    ),
    "php composer": "FROM composer:2 AS vendor\nCOPY composer.json composer.lock ./\nFROM php:8.3-apache\nCOPY --from=vendor /app/vendor /var/www/vendor\nCOPY public /var/www/html\n",
    "php extensions": "FROM php:8.3\nADD --chmod=0755 https://example.org/install-php-extensions /usr/local/bin/\nRUN install-php-extensions gd\n",
    "ruby": "FROM ruby:3.3\nCOPY Gemfile Gemfile.lock ./\nRUN bundle install\nCOPY --link config.ru app ./\n",
    "elixir": "FROM elixir:1.17\nCOPY mix.exs mix.lock ./\nCOPY config/config.exs config/${MIX_ENV}.exs config/\n",
    # Servers and tools
    "nginx template": "FROM nginx\nCOPY nginx.conf /etc/nginx/nginx.conf\nCOPY html/ /usr/share/nginx/html/\n",
    "config here-document": "FROM nginx\nCOPY <<EOF /etc/nginx/conf.d/default.conf\nserver {\n  listen 80;\n}\nEOF\nCOPY html /srv\n",
    "two files here-documents": "FROM alpine\nCOPY <<a.txt <<b.txt /dest/\nCOPY . /\na.txt\nRUN x\nb.txt\nCOPY real /dest/\n",
    "here-document with tabs": "FROM alpine\nRUN <<-EOT sh\n\techo a\n\tEOT\nCOPY b /b\n",
    "entrypoint mode": "FROM alpine\nCOPY --chmod=755 docker-entrypoint.sh /usr/local/bin/\nENTRYPOINT [\"docker-entrypoint.sh\"]\n",
    "exclude": "FROM alpine\nCOPY --exclude=*.md --exclude=test docs /docs\n",
    "add archive": "FROM alpine\nADD rootfs.tar.xz /\n",
    "add address": "FROM alpine\nADD https://example.org/tini /tini\nRUN chmod +x /tini\n",
    "add checksum": "FROM alpine\nADD --checksum=sha256:0000 https://example.org/a.tgz /a.tgz\n",
    "add git": "FROM alpine\nADD https://github.com/moby/buildkit.git#v0.10.1 /buildkit\n",
    "add git keep": "FROM alpine\nADD --keep-git-dir=true git@github.com:a/b.git /b\n",
    "json form": "FROM alpine\nCOPY [\"my file.txt\", \"other file.txt\", \"/dest/\"]\n",
    "json form with options": "FROM alpine\nCOPY --chown=1:1 [\"a\", \"/b\"]\n",
    "ssh mount": "FROM alpine\nRUN --mount=type=ssh,required=true git clone git@example.org:a/b.git\n",
    "no network": "FROM alpine\nCOPY a a\nRUN --network=none make -C a\n",
    "tmpfs": "FROM alpine\nRUN --mount=type=tmpfs,target=/tmp,size=1024 make\n",
    "onbuild": "FROM node:20\nONBUILD COPY package.json /app/\nONBUILD RUN npm install\n",
    "onbuild mount": "FROM node:20\nONBUILD RUN --mount=type=cache,target=/c npm ci\n",
    "shell and healthcheck": (
        "FROM debian\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nHEALTHCHECK --interval=30s CMD curl -f http://localhost/\n"
        "STOPSIGNAL SIGQUIT\nVOLUME [\"/data\"]\nLABEL a=b c=\"d e\"\nUSER 1000:1000\nCOPY x x\n"
    ),
    "copy from an index": "FROM a\nRUN true\nFROM b\nCOPY --from=0 /x /x\nCOPY y /y\n",
    "copy from an image": "FROM a\nCOPY --from=nginx:latest /etc/nginx/nginx.conf /n.conf\n",
    "long command": "FROM debian\nRUN apt-get update \\\n  # the compilers\n  && apt-get install -y \\\n\n     gcc \\\n     make \\\n  && rm -rf /var/lib/apt/lists/*\nCOPY a b c /d/\n",
    "copy on many lines": "FROM a\nCOPY one \\\n     two \\\n     three \\\n     /dest/\n",
    "comments": "# COPY not-this /\nFROM a\n# RUN --mount=type=cache,target=/c x\nCOPY this /  \n   # COPY nor-this /\n",
    "argument before FROM": "ARG BASE=alpine\nARG TAG\nFROM ${BASE}:${TAG:-3}\nCOPY a /a\n",
    "ARG with variable": "FROM a\nARG DIR\nCOPY ${DIR} /x\nCOPY fixed /y\n",
    "ENV in destination": "FROM a\nENV HOME_DIR=/srv\nCOPY app $HOME_DIR/app\n",
    "suffix of a variable": "FROM a\nARG VERSION=v1.2\nENV PLAIN=${VERSION#v}\nCOPY a a\n",
    "single character wildcards": "FROM a\nCOPY hom?.txt [a-c]*.json /dir/\n",
    "leading slashes": "FROM a\nCOPY /abs/path /x\nCOPY ./rel/../path2 /y\nCOPY ../outside /z\n",
    "trailing slash": "FROM a\nCOPY dir/ /dir/\nCOPY dir2/. /dir2/\n",
    "double star": "FROM a\nCOPY --parents src/**/*.proto /protos/\n",
    "parents with pivot": "FROM a\nCOPY --parents ./x/./y/*.txt /d/\n",
    "cache from a stage": "FROM a AS seed\nFROM b\nRUN --mount=type=cache,from=seed,source=/c,target=/c make\n",
    "bind the whole context": "FROM a\nRUN --mount=type=bind,target=.,rw make\n",
    "stage is not used": "FROM a AS dev\nCOPY dev-tools /t\nFROM b AS prod\nCOPY app /app\n",
    "lower case": "from a as b\ncopy x y\nrun make\ncmd x\n",
    "check directive": "# check=skip=JSONArgsRecommended\nFROM a\nCOPY x /x\nCMD run\n",
    "both directives": "# syntax=docker/dockerfile:1\n# escape=\\\nFROM a\nCOPY --link x /x\n",
    "device": "FROM a\nRUN --device=nvidia.com/gpu=all nvidia-smi\n",
    "security": "FROM a\nRUN --security=insecure cat /proc/self/status\n",
    "automatic argument": "FROM a\nARG TARGETARCH\nADD app-linux-amd64 /app\n",
    "automatic argument with a default": "FROM a\nARG TARGETARCH=amd64\nCOPY app /app\n",
    "file descriptor": "FROM a\nRUN 3<<EOF cat <&3\nx\nEOF\nCOPY y /y\n",
}


def _backtick(text: str) -> str | None:
    """Continued with backticks; what has a backslash elsewhere, or directives of its own, stays."""
    continued = re.sub(r"\\\n", "`\n", text)
    return None if "\\" in continued or text.startswith("#") else f"# escape=`\n{continued}"


VARIATIONS: dict[str, Callable[[str], str | None]] = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "no end of line": lambda text: text.rstrip("\n"),
    "empty lines": lambda text: None if "<<" in text or text.startswith("# ") else text.replace("\nCOPY", "\n\n\nCOPY"),
    "indented": lambda text: re.sub(r"^(COPY|ADD) ", r"  \t\1\t", text, flags=re.MULTILINE) if "<<" not in text else None,
    "backticks": _backtick,
}

ALL: dict[str, str] = {
    f"{case}, {variation}": written
    for case, text in CASES.items()
    for variation, write in VARIATIONS.items()
    if (written := write(text)) is not None
}
