"""The paths that a Dockerfile takes from its context."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftgenie_azure.build_context.dockerfile import reachable

GATEWAY = """\
# syntax=docker/dockerfile:1
FROM node:20-alpine AS builder
WORKDIR /app
COPY package*.json nx.json ./
COPY services/ ./services/
RUN npm ci
FROM node:20-alpine
COPY --from=builder --chown=1001 /app/dist ./dist
USER 1001
CMD ["node", "dist/main.js"]
"""


def sources(text: str, target: str | None = None, *, every_stage: bool = False) -> list[str] | str:
    """The patterns, or "everything"."""
    reach = reachable(text, target=target, every_stage=every_stage)
    assert reach.everything is bool(reach.why)
    return "everything" if reach.everything else reach.patterns


def copied(*instructions: str) -> list[str] | str:
    """Return the reach of one stage with these instructions."""
    return sources("\n".join(["FROM scratch", *instructions]))


def test_sources_of_all_needed_stages_are_found() -> None:
    assert sources(GATEWAY) == ["nx.json", "package*.json", "services"]


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("COPY a b c /dest/", ["a", "b", "c"]),
        ("copy a /dest", ["a"]),
        ("COPY\ta\t/dest", ["a"]),
        ("COPY ./a/../b /dest", ["b"]),
        ("COPY /a/b/ /dest", ["a/b"]),
        ("COPY a\xa0b /dest", ["a\xa0b"]),
        ("COPY ../a /dest", ["a"]),
        ('COPY ["a", "my dir", "/dest"]', ["a", "my dir"]),
        ('COPY ["!a", " b", "/dest"]', [" b", "!a"]),
        ("COPY --chown=1:1 --chmod=755 --link a /dest", ["a"]),
        ("COPY --exclude=*.md a /dest", ["a"]),
        ("COPY --parents a/./b /dest", ["a/b"]),
        ("COPY --parents **/package.json /dest", ["**/package.json"]),
        ("COPY a?c [b-d]* /dest", ["[b-d]*", "a?c"]),
        ("COPY --from=nginx /etc/nginx /etc/nginx", []),
        ("ADD a.tar.gz /dest", ["a.tar.gz"]),
        ("ADD https://example.org/${V}.tgz /dest", []),
        ("ADD --checksum=sha256:1 https://example.org/a.tgz b /dest", ["b"]),
        ("ADD git@github.com:a/b.git /dest", []),
        ("ADD https://github.com/a/b.git#v1 /dest", []),
        ("RUN --mount=type=bind,source=a,target=/a make", ["a"]),
        ("RUN --mount=type=BIND,source=a,target=/a make", ["a"]),
        ("RUN --mount=source=a,target=/a --mount=type=bind,src=b,dst=/b,rw make", ["a", "b"]),
        ("RUN --mount=type=bind,from=alpine,source=a,target=/a make", []),
        ("RUN --mount=type=cache,target=/root/.cache --mount=type=secret,id=k --network=none make", []),
        ("RUN cp COPY . /dest", []),
        ("ONBUILD COPY a /dest", ["a"]),
        ("ONBUILD RUN --mount=source=a,target=/a make", ["a"]),
        ("COPY a /$DEST", ["a"]),
        ("ENTRYPOINT [\"COPY\", \".\", \"/\"]", []),
    ],
)  # fmt: skip
def test_sources_of_an_instruction(instruction: str, expected: list[str]) -> None:
    assert copied(instruction) == expected


@pytest.mark.parametrize(
    "instruction",
    [
        "COPY . /dest",
        "COPY ./ /dest",
        "COPY / /dest",
        "COPY .. /dest",
        "COPY a/.. /dest",
        "COPY $DIR /dest",
        "COPY a/${DIR:-b} /dest",
        'COPY "a" /dest',
        "COPY 'a b' /dest",
        "COPY [a, /dest]",
        'COPY --parents ["!*/a", "/dest"]',
        'COPY [" **/a", "/dest"]',
        "COPY a\\ b /dest",
        'COPY ["a$X", "/dest"]',
        "ADD $URL /dest",
        "RUN --mount=target=/src make",
        "RUN --mount=type=bind,target=/src make",
        "RUN --mount=type=$T,target=/src make",
        "RUN --mount=type=bind,source=$S,target=/src make",
        'RUN --mount=type=bind,"source=a",target=/src make',
        "ONBUILD COPY . /dest",
        "INCLUDE other",
        "COPY a /dest\nFROM",
        "RUN <<EOF\nno end",
    ],
)
def test_undecidable_source_is_the_whole_context(instruction: str) -> None:
    assert copied(instruction) == "everything"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "ARG A=1",
        "COPY a b",
        "# syntax=example.org/other:1\nFROM scratch\nCOPY a /",
        "FROM python:3-onbuild",
    ],
)
def test_unparsable_dockerfile_needs_the_whole_context(text: str) -> None:
    assert sources(text) == "everything"


def test_continuation_lines_comments_and_empty_lines() -> None:
    assert copied("COPY a \\", "  # a note \\", "", "  b \\  ", "  /dest", "# COPY c /", "  # COPY d /") == ["a", "b"]


def test_an_escaped_escape_ends_no_line() -> None:
    assert copied("RUN echo a\\\\", "COPY b /dest") == ["b"]


def test_escape_directive_changes_continuation() -> None:
    text = "# escape=`\nFROM scratch\nCOPY a `\n b /dest\nRUN dir c:\\\nCOPY c /dest"
    assert sources(text) == ["a", "b", "c"]


def test_a_directive_counts_only_at_the_top() -> None:
    assert sources("# a note\n# escape=`\nFROM scratch\nCOPY a \\\n b /dest") == ["a", "b"]


def test_byte_order_mark_and_crlf() -> None:
    assert sources("\ufeffFROM scratch\r\nCOPY a \\\r\n  b /dest\r\nCOPY c /dest\r\n") == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "RUN <<EOF\nCOPY x /\nFROM y\nEOF",
        "RUN <<-EOF\n\tCOPY x /\n\tEOF",
        "RUN <<'EOF' cat > /a\nCOPY x /\nEOF",
        "RUN <<A cat; <<B cat\nCOPY x /\nA\nCOPY y /\nB",
        "COPY <<EOF /dest\nCOPY x /\nEOF",
        'COPY <<"EOF" /dest\r\nCOPY x /\r\nEOF\r',
        "COPY --chmod=644 <<ONE <<TWO /dest/\n1\nONE\n2\nTWO",
        "ADD <<EOF /dest\n.\nEOF",
    ],
)
def test_here_documents_are_not_instructions_and_no_sources(text: str) -> None:
    assert copied(text, "COPY last /") == ["last"]


@pytest.mark.parametrize(
    "text",
    [
        "RUN echo $((1<<3))",
        "RUN cat <<<EOF",
        "RUN echo 'a <<EOF b'",
        'RUN ["sh", "<<EOF"]',
        "ENV A=<<EOF",
        "LABEL a=<<B",
    ],
)
def test_what_only_looks_like_a_here_document(text: str) -> None:
    assert copied(text, "COPY last /") == ["last"]


STAGES = """\
ARG BASE=alpine
FROM alpine AS Tools
COPY tools /
FROM alpine AS test
COPY tests /
FROM tools AS build
COPY src /
FROM alpine
COPY --from=build /out /
RUN --mount=from=2,source=/x,target=/x true
COPY etc /etc
"""


def test_a_mount_from_a_stage_needs_it() -> None:
    text = "FROM alpine AS one\nCOPY a /\nFROM alpine\nRUN --mount=from=one,target=/x true"
    assert sources(text) == ["a"]


def test_a_stage_cannot_be_based_on_a_later_one() -> None:
    text = "FROM tools AS one\nCOPY a /\nFROM alpine AS tools\nCOPY b /\n"
    assert sources(text, "one") == ["a"]


def test_only_stages_that_the_wanted_one_is_built_on() -> None:
    assert sources(STAGES) == ["etc", "src", "tools"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [("build", ["src", "tools"]), ("TEST", ["tests"]), ("1", ["tests"]), ("tools", ["tools"]), ("none", "everything")],
)
def test_only_stages_needed_by_the_target_count(target: str, expected: list[str] | str) -> None:
    assert sources(STAGES, target) == expected


def test_the_older_builder_builds_every_stage_before_the_wanted_one() -> None:
    assert sources(STAGES, every_stage=True) == ["etc", "src", "tests", "tools"]
    assert sources(STAGES, "test", every_stage=True) == ["tests", "tools"]


@pytest.mark.parametrize("hidden", ["FROM $BASE", "FROM ${BASE}", "FROM alpine\nCOPY --from=$BASE /x /",
                                    'FROM alpine\nCOPY --from="test" /x /'])  # fmt: skip
def test_a_base_stage_named_by_a_variable_includes_all_stages(hidden: str) -> None:
    assert sources(f"FROM alpine AS test\nCOPY tests /\n{hidden}\nCOPY a /") == ["a", "tests"]


def test_a_variable_in_an_images_version_hides_no_stage() -> None:
    assert sources("FROM alpine AS test\nCOPY tests /\nFROM python:${VERSION}-slim\nCOPY a /") == ["a"]


def test_what_cannot_be_decided_in_a_stage_that_is_not_needed_does_not_matter() -> None:
    assert sources("FROM alpine AS test\nCOPY . /\nFROM alpine\nCOPY a /") == ["a"]


def covered(source: str, *paths: str, flags: str = "") -> list[str]:
    reach = reachable(f"FROM scratch\nCOPY {flags} {source} /dest/")
    assert not reach.everything
    return [path for path in paths if reach.covers(path)]


@pytest.mark.parametrize(
    ("source", "inside", "outside"),
    [
        ("a", ["a", "a/b", "a/b/c"], ["ab", "b", "d/a"]),
        ("a/b", ["a/b", "a/b/c"], ["a", "a/c", "a/bc"]),
        ("*.json", ["a.json", "a.json/b"], ["d/a.json", "a.jsonx"]),
        ("package*.json", ["package.json", "package-lock.json"], ["packages/a.json"]),
        ("*/app", ["x/app", "x/app/y"], ["app", "x/y/app", "x/apps"]),
        ("a?c", ["abc", "abc/d"], ["ac", "a/c"]),
        ("[b-d]x", ["bx", "cx/y"], ["ax"]),
        ("[^b]x", ["ax"], ["bx"]),
        ("[!b]x", ["!x", "bx"], ["ax"]),
        ("a.b", ["a.b"], ["axb"]),
        ("*", ["a", "a/b"], []),
    ],
)
def test_source_pattern_covers_paths(source: str, inside: list[str], outside: list[str]) -> None:
    assert covered(source, *inside, *outside) == inside


def test_copy_parents_supports_double_stars() -> None:
    paths = ["package.json", "a/package.json", "a/b/package.json"]
    assert covered("**/package.json", *paths, "a/b", flags="--parents") == paths
    assert covered("**/package.json", *paths, "a/b") == paths  # more than every builder takes


def test_directories_that_cannot_hold_a_source_are_not_entered() -> None:
    reach = reachable("FROM scratch\nCOPY *.json services/*/app docs/a.md /dest/")

    entered = [path for path in ("src", "x.json", "services", "services/x", "services/x/app", "services/x/app/y",
                                 "services/x/y", "docs", "docs/b") if reach.enters(path)]  # fmt: skip

    assert entered == ["x.json", "services", "services/x", "services/x/app", "services/x/app/y", "docs"]


NAMES = st.sampled_from(["a", "b", "ab", "a.b", "ba"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
SOURCES = st.lists(st.one_of(NAMES, st.sampled_from(["*", "a*", "?", "[ab]", "[^a]*", "*b"])), min_size=1, max_size=3)


@given(st.lists(SOURCES.map("/".join), min_size=1, max_size=3), PATHS)
def test_the_directories_above_what_is_covered_are_entered(patterns: list[str], path: str) -> None:
    reach = reachable("FROM scratch\nCOPY " + " ".join([*patterns, "/dest/"]))

    if reach.covers(path):
        parts = path.split("/")
        assert all(reach.enters("/".join(parts[:end])) for end in range(1, len(parts)))


@given(st.text("FROMCPYADUN abc.*[]\\\"'$<#-=/\n\r\t`{},:"))
def test_any_text_is_accepted(text: str) -> None:
    reachable("FROM scratch\n" + text)
    reachable(text)
