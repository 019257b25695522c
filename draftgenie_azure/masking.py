"""Mask secrets in all output: terminal, events, log, tracebacks, state, report.

A secret is added to `MASK` as soon as it is known: read from the configuration, generated, composed, or issued by
Azure. All output passes through `MASK`, which also finds secrets that are URL-, JSON- or
base64-encoded.
"""

from __future__ import annotations

import json
import re
from threading import RLock

from draftgenie_azure.encodings import base32_forms, base64_forms, base64_of, literal_forms, spellings, views

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    Form = tuple[str, int, int, bool]

HIDDEN = "***"
SHORTEST = 4  # shorter values would hide half of every text
WORD = 6  # values shorter than this are hidden as whole words only
_FOUND = 8  # characters; a shorter value that only may be a secret is taken for a level, a number or a name
_HEAD = 4  # leading characters by which candidates are found
_LONG = 34  # bytes; in base64 a longer value takes several lines, which may be logged separately
_PIECE = 12  # characters of base64 by which such a line is found
_GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\s*$"  # as at the end of most lines of a log
_WRAPPED = re.compile(rf"(?:^|(?<=[\s|]))(?!{_GUID})[A-Za-z0-9+/_-]{{12,}}(?=={{0,2}}\s*$)", re.MULTILINE)
_CACHED = 20_000  # number of texts whose masked form is cached; a state is saved repeatedly
# A password in a URL, and the secret parts of a connection string or signed address.
_PARTS = re.compile(
    r"://[^/?#\s:@{}]*:([^/?#\s@{}]+)@"
    r"|(?:key|password|pwd|secret|token|sig|signature)\s*=\s*([^;&\s{}]+)",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(
    r"(?:^|[_.-])(?:secret|token|accesstoken|password|passwd|passphrase|key|credentials?|connection_?string|sas)$",
    re.IGNORECASE,
)
# Keys of events and of the state below which free text is found. Elsewhere (ids, names, our own text) only unlikely
# values are hidden: a secret `completed` must not corrupt the state.
FREE_TEXT = frozenset(
    {"details", "error", "hint", "left_open", "line", "lines", "log", "message", "notes", "reasons", "text", "warnings"}
)


class Mask:
    """A registry of secrets that hides them in texts; shared by all threads of the process."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._generation = 0
        self.forget()

    def forget(self) -> None:
        """Forget all secrets."""
        self._generation += 1
        self._known: set[str] = set()
        self._pending: list[str] = []
        self._names = ""
        self._forms: dict[str, tuple[Form, ...]] = {}  # by first characters
        self._cache: dict[tuple[str, bool], str] = {}
        self._long: list[str] = []
        self._pieces: frozenset[str] = frozenset()  # of the long values; made when a text has what may be one

    # --- registering secrets ---

    def add(self, *values: object) -> None:
        """Hide these values from now on, except those that are not text or too short to be distinctive."""
        for value in values:
            if isinstance(value, str) and value not in self._known:
                with self._lock:
                    self._known.add(value)
                    self._pending.append(value)

    def add_parts(self, template: str) -> None:
        """Hide passwords and keys in a text with placeholders, which is not itself a secret."""
        self.add(*(match[1] or match[2] for match in _PARTS.finditer(template)))

    def add_found(self, name: str, value: Any) -> None:
        """Hide what is secret in an external value: passwords in URLs, or all of it depending on its name.

        Args:
            name: name of its variable, or ''.
        """
        if isinstance(value, dict):
            for item in value.values():
                self.add_found("", item)
        elif isinstance(value, list):
            for item in value:
                self.add_found("", item)
        elif isinstance(value, str):
            if len(value) >= _FOUND and _SECRET_NAME.search(name):
                self.add(value)
            self.add_parts(value)

    def add_replaced(self, old: Any, new: Any) -> None:
        """Hide the old value where the new one has a secret, such as a token that is replaced, and the other way."""
        before, after = (value if isinstance(value, list) else [value] for value in (old, new))
        if any(isinstance(item, str) and self.text(item) != item for item in (*before, *after)):
            replaced = [item for item in (*before, *after) if item not in before or item not in after]
            self.add(*(item for item in replaced if isinstance(item, str) and len(item) >= _FOUND))

    def allow(self, names: Iterable[str]) -> None:
        """Exempt values that are part of one of these names, which are public and appear everywhere."""
        with self._lock:
            self._names = "\n".join([self._names, *names])

    def add_environment(self, environ: Mapping[str, str]) -> None:
        """Hide the values of variables with secret-sounding names, and passwords of proxies."""
        for name, value in environ.items():
            if len(value) >= _FOUND and _SECRET_NAME.search(name):
                self.add(value)
            elif name.lower().endswith("_proxy"):
                self.add_parts(value)

    # --- hiding ---

    @property
    def generation(self) -> int:
        """A number that changes with the secrets: while it is the same, the same text is hidden in the same way."""
        if self._pending:
            self._index()
        return self._generation

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        return self._hidden(text, free=True)

    def boundary(self, text: str, place: int) -> int:
        """Return the last position up to a place at which no secret is divided; the place itself if there is none."""
        if self._pending:
            self._index()
        found = place
        for first, last in sorted(self._spans(text, free=True), key=lambda span: span[1], reverse=True):
            if first < found < last:
                found = first
        return found or place

    def document(self, value: Any, *, free: bool = False) -> Any:
        """Return a copy of a JSON document without the secrets.

        Args:
            free: treat all of it as free text; otherwise only values below the keys of `FREE_TEXT`.
        """
        if isinstance(value, str):
            return self._cached(value, free)
        if isinstance(value, dict):
            items = ((self._cached(str(key), False), item, free or key in FREE_TEXT) for key, item in value.items())
            return {key: self.document(item, free=is_free) for key, item, is_free in items}
        if isinstance(value, list | tuple):
            return [self.document(item, free=free) for item in value]
        return value

    def _cached(self, text: str, free: bool) -> str:
        if self._pending:
            self._index()
        key = (text, free)
        found = self._cache.get(key)
        if found is None:
            found = self._hidden(text, free=free)
            if len(self._cache) < _CACHED:
                self._cache[key] = found
        return found

    def _hidden(self, text: str, *, free: bool) -> str:
        if self._pending:
            self._index()
        if not self._forms or len(text) < _HEAD:
            return text
        spans = sorted(self._spans(text, free))
        parts: list[str] = []
        end = 0
        for first, last in spans:
            if first > end or not parts:
                parts += [text[end:first], HIDDEN]
            end = max(end, last)
        return "".join([*parts, text[end:]])

    def _spans(self, text: str, free: bool) -> Iterator[tuple[int, int]]:
        """Yield start and end of each secret in the text; they may overlap."""
        for view, joined in views(text):
            read = view.text
            for place in [i for i in range(len(read) - _HEAD + 1) if read[i : i + _HEAD] in self._forms]:
                for form, before, after, weak in self._forms[read[place : place + _HEAD]]:
                    if (weak and (joined or not free)) or not read.startswith(form, place):
                        continue
                    end = place + len(form)
                    if len(form) < WORD and not _is_word(read, place, end):
                        continue
                    yield view.origin(max(0, place - before), min(len(read), end + after))
        if free and self._long:
            yield from self._lines_of_base64(text)

    def _lines_of_base64(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the positions of parts of a long secret in base64, whose other lines may be in another text."""
        for match in _WRAPPED.finditer(text):
            if not self._pieces:
                self._pieces = frozenset(_pieces(self._long))
            for place in range(match.start(), match.end() - _PIECE + 1):
                if text[place : place + _PIECE] in self._pieces:
                    yield place, place + _PIECE

    # --- the index ---

    def _index(self) -> None:
        """Index the values that were added since."""
        with self._lock:
            # Cleared last: a thread that finds nothing pending must find everything in the index.
            for value in self._pending:
                for one in {spelt for part in _with_parts(value) for spelt in spellings(part)}:
                    if one not in self._names:
                        self._take(one)
            self._long += [value for value in self._pending if len(value.encode("utf-8", "replace")) >= _LONG]
            self._pieces = frozenset()
            self._cache = {}
            self._generation += 1
            self._pending = []

    def _take(self, value: str) -> None:
        weak = _is_weak(value)
        if len(value) >= SHORTEST:
            for form in literal_forms(value) if len(value) >= WORD else {value, base64_of(value)}:
                self._put((form, 0, 0, weak))
        if len(value) >= WORD:
            for text, before, after in (*base64_forms(value), *base32_forms(value)):
                self._put((text, before, after, weak))

    def _put(self, form: Form) -> None:
        head = form[0][:_HEAD]
        there = self._forms.get(head, ())
        if form not in there:  # replaced, not changed: another thread may be reading it
            self._forms[head] = (*there, form)


def _pieces(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        for text, _, _ in base64_forms(value):
            yield from (text[place : place + _PIECE] for place in range(len(text) - _PIECE + 1))


def _is_word(text: str, start: int, end: int) -> bool:
    """Return whether a range is not adjacent to letters or digits."""
    return not (text[max(0, start - 1) : start].isalnum() or text[end : end + 1].isalnum())


def _is_weak(value: str) -> bool:
    """Return whether a value may occur in a name or an id by chance, as a word does."""
    return len(value) < 8 or (len(value) < 16 and value.replace("-", "").replace("_", "").isalpha() and value.islower())


def _with_parts(value: str) -> Iterator[str]:
    """Yield a secret and its secret parts: lines, passwords in URLs, keys in connection strings or JSON."""
    yield value
    stripped = value.strip()
    if stripped != value:
        yield stripped
    for match in _PARTS.finditer(value):
        part = match[1] or match[2]
        if len(part) >= WORD:
            yield part
            for view, _ in views(part):
                yield view.text
    if "\n" in value:
        yield from (line for line in map(str.strip, value.splitlines()) if _is_secret_line(line))
    if stripped[:1] == "{":
        yield from _of_json(stripped)


def _is_secret_line(line: str) -> bool:
    """Return whether a line of a secret is secret on its own: not the begin or end of a key, a bracket or a word."""
    return "-----" not in line and (len(line) >= 8 or (len(line) >= WORD and any(map(str.isdigit, line))))


def _of_json(text: str) -> Iterator[str]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return
    yield from (leaf for name, leaf in _leaves("", values) if len(leaf) >= WORD and _SECRET_NAME.search(name))


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(key, item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(name, item)


# One per process, so that a secret known to one part is hidden in the output of all others.
MASK = Mask()
