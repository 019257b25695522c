"""Dockerfiles that only BuildKit can build."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftgenie_azure.build_context.buildkit import needs


def needed(text: str, target: str | None = None, *arguments: str) -> list[tuple[int, str]]:
    return [(need.line, need.what) for need in needs(text, target=target, arguments=arguments)]


def in_one_stage(*instructions: str) -> list[str]:
    return [what for _, what in needed("\n".join(["FROM scratch", *instructions]))]


@pytest.mark.parametrize(
    ("instruction", "what"),
    [
        ("RUN --mount=type=cache,target=/root/.cache pip install x", "RUN --mount"),
        ("RUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci", "RUN --mount"),
        ("RUN --mount=type=ssh git clone git@example.org:a/b", "RUN --mount"),
        ("RUN --mount=type=bind,source=a,target=/a make", "RUN --mount"),
        ("RUN --mount=type=tmpfs,target=/tmp make", "RUN --mount"),
        ("run --mount=type=cache,target=/c make", "RUN --mount"),
        ("RUN \\\n  --mount=type=cache,target=/c \\\n  make", "RUN --mount"),
        ("RUN # no comment\\\n --mount", None),
        ("RUN --network=none make", "RUN --network"),
        ("RUN --security=insecure make", "RUN --security"),
        ("RUN --device=nvidia.com/gpu=all make", "RUN --device"),
        ("RUN make --mount=type=cache", None),
        ('RUN ["make", "--mount=type=cache"]', None),
        ("RUN <<EOF\nmake\nEOF", "RUN <<EOF (a here-document)"),
        ("RUN python3 <<'PY' > /out\nprint(1)\nPY", "RUN <<'PY' (a here-document)"),
        ("RUN <<-EOF\n\tmake\n\tEOF", "RUN <<-EOF (a here-document)"),
        ("COPY <<EOF /etc/motd\nhello\nEOF", "COPY <<EOF (a here-document)"),
        ("ADD <<robots.txt /srv/\nUser-agent: *\nrobots.txt", "ADD <<robots.txt (a here-document)"),
        ("RUN cat <<< text", None),
        ("RUN echo $((1<<2))", None),
        ("RUN echo 'a <<EOF'", None),
        ("CMD cat <<EOF", None),
        ("COPY --link a /a", "COPY --link"),
        ("COPY --link=true --from=0 a /a", "COPY --link"),
        ("COPY --parents a/b /a", "COPY --parents"),
        ("COPY --chmod=755 a /a", "COPY --chmod"),
        ("COPY --CHMOD=755 a /a", "COPY --chmod"),
        ("COPY --exclude=*.md a /a", "COPY --exclude"),
        ("COPY --chown=1000:1000 --from=0 a /a", None),
        ("COPY --chown=app a /a", None),
        ("COPY --from=nginx:1.27 /etc/nginx /etc/nginx", None),
        ("ADD --chmod=644 a /a", "ADD --chmod"),
        ("ADD --link a /a", "ADD --link"),
        ("ADD --checksum=sha256:24454f83 https://example.org/a.tgz /", "ADD --checksum"),
        ("ADD --keep-git-dir=true https://example.org/a.tgz /a", "ADD --keep-git-dir"),
        ("ADD --unpack=false a.tgz /a", "ADD --unpack"),
        ("ADD --chown=app a.tgz /a", None),
        ("ADD https://example.org/a.tgz /a", None),
        ("ADD https://example.org/a.git /a", "ADD of a Git repository"),
        ("ADD https://example.org/a.git#v1 /a", "ADD of a Git repository"),
        ('ADD ["https://example.org/a.git#v1:sub", "/a"]', "ADD of a Git repository"),
        ("ADD git@example.org:a/b.git /a", "ADD of a Git repository"),
        ("ADD a.git /a", None),
        ("ONBUILD RUN --mount=type=cache,target=/c make", "RUN --mount"),
        ("ONBUILD COPY --link a /a", "COPY --link"),
        ("ONBUILD COPY a /a", None),
        ("ARG TARGETARCH", "ARG TARGETARCH"),
        ("ARG TARGETPLATFORM", "ARG TARGETPLATFORM"),
        ("ARG A TARGETOS", "ARG TARGETOS"),
        ("ARG TARGETARCH=amd64", None),
        ('ARG A="TARGETARCH b"', None),
        ("ARG VERSION", None),
        ("ENV A=${VERSION:-1}", None),
        ("ENV A=${VERSION:+1}", None),
        ("ENV A=${VERSION#v}", "ENV ${VERSION#v}"),
        ("ENV A=${VERSION%%.*}", "ENV ${VERSION%%.*}"),
        ("LABEL a=${VERSION/-/_}", "LABEL ${VERSION/-/_}"),
        ("ENV A=\\${VERSION#v}", None),
        ("RUN echo ${VERSION#v}", None),
        ("HEALTHCHECK --interval=5s --timeout=3s --start-period=1s --retries=3 CMD true", None),
        ("HEALTHCHECK --start-interval=1s CMD true", "HEALTHCHECK --start-interval"),
        ("# RUN --mount=type=cache,target=/c make", None),
        ("SHELL [\"/bin/bash\", \"-c\"]", None),
        ("STOPSIGNAL SIGTERM", None),
    ],
)  # fmt: skip
def test_need_for_buildkit_by_instruction(instruction: str, what: str | None) -> None:
    assert in_one_stage(instruction) == ([what] if what else [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM --platform=$BUILDPLATFORM golang:1.23 AS build", [(1, "FROM with $BUILDPLATFORM")]),
        ("FROM --platform=${BUILDPLATFORM} golang", [(1, "FROM with $BUILDPLATFORM")]),
        ("FROM --platform=$TARGETPLATFORM golang", [(1, "FROM with $TARGETPLATFORM")]),
        ("FROM --platform=${BUILDPLATFORM:-linux/amd64} golang", []),
        ("FROM --platform=linux/amd64 golang", []),
        ("FROM base-${TARGETARCH}", [(1, "FROM with $TARGETARCH")]),
        ("FROM base-$TARGETARCH\nRUN make", [(1, "FROM with $TARGETARCH")]),
        ("ARG BUILDPLATFORM\nFROM --platform=$BUILDPLATFORM golang", [(2, "FROM with $BUILDPLATFORM")]),
        ("ARG BUILDPLATFORM=linux/amd64\nFROM --platform=$BUILDPLATFORM golang", []),
        ("ARG TARGETARCH=amd64\nFROM golang\nARG TARGETARCH", []),
        ("FROM golang\nARG TARGETARCH=amd64\nFROM base-$TARGETARCH", [(3, "FROM with $TARGETARCH")]),
        ("ARG VERSION=1\nFROM golang:$VERSION", []),
        ("FROM golang:${VERSION}", []),
        ("FROM a AS b\nFROM b\nRUN true", []),
        ("\ufeffFROM a\r\nRUN --mount=type=cache,target=/c make\r\n", [(2, "RUN --mount")]),
        ("# escape=`\nFROM a\nRUN `\n --mount=type=cache,target=/c `\n make", [(3, "RUN --mount")]),
        ("# syntax=docker/dockerfile:1\nFROM a\nCOPY . .", []),
        ("# syntax=docker/dockerfile:1.7-labs\nFROM a\nCOPY . .", []),
        ("# syntax=docker.io/docker/dockerfile:1\nFROM a", []),
        ("#syntax=example.org/own/frontend:1\nFROM a", [(1, "# syntax=example.org/own/frontend:1")]),
        ("# comment\n# syntax=example.org/own/frontend:1\nFROM a", []),
        ("FROM a\nRUN <<EOF\nno end", []),
        ("FROM a\nRUN --mount=type=cache,target=/c x\nINCLUDE b", [(2, "RUN --mount")]),
        ("", []),
        (
            "FROM a\nRUN <<A cat <<B\na\nA\nb\nB\nRUN --mount=type=cache,target=/c --network=none x",
            [(2, "RUN <<A (a here-document)"), (7, "RUN --mount"), (7, "RUN --network")],
        ),
    ],
)
def test_need_for_buildkit_by_dockerfile(text: str, expected: list[tuple[int, str]]) -> None:
    assert needed(text) == expected


STAGES = """\
FROM a AS Build
RUN --mount=type=cache,target=/c make
FROM b AS test
COPY --chmod=755 a /a
FROM c
RUN --network=none make
"""


@pytest.mark.parametrize(
    ("target", "lines"),
    [(None, [2, 4, 6]), ("build", [2]), ("0", [2]), ("TEST", [2, 4]), ("2", [2, 4, 6]), ("x", [2, 4, 6])],
)
def test_stages_after_the_target_are_not_built(target: str | None, lines: list[int]) -> None:
    assert [line for line, _ in needed(STAGES, target)] == lines


@pytest.mark.parametrize("line", ["COPY --link a /a", "RUN <<EOF\nmake\nEOF", "HEALTHCHECK --start-interval=1s CMD a"])
def test_syntax_unknown_to_the_classic_builder_counts_in_every_stage(line: str) -> None:
    assert [number for number, _ in needed(f"FROM a AS wanted\nFROM b\n{line}", "wanted")] == [3]


def test_build_argument_that_is_given_has_its_value_in_either_builder() -> None:
    declared = "ARG BUILDPLATFORM\nFROM --platform=$BUILDPLATFORM golang\nARG TARGETARCH\n"

    assert needed(declared, None, "BUILDPLATFORM", "TARGETARCH") == []
    assert needed(declared, None, "TARGETARCH") == [(2, "FROM with $BUILDPLATFORM")]
    assert needed("FROM --platform=$BUILDPLATFORM golang", None, "BUILDPLATFORM") == [
        (1, "FROM with $BUILDPLATFORM")
    ], "what no ARG declares is not put in"


@given(st.text())
def test_any_text_is_accepted(text: str) -> None:
    needs(text)


@given(
    st.lists(
        st.sampled_from(
            ["FROM a AS b", "ARG TARGETARCH", "RUN --mount=x y", "RUN <<E", "E", "COPY --link a b", "RUN \\", "# c"]
        )
    )
)
def test_a_need_is_on_the_line_that_is_named(lines: list[str]) -> None:
    for need in needs("\n".join(lines)):
        assert need.what.split()[0] in lines[need.line - 1]
