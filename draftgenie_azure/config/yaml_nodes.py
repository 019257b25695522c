"""The nodes of a YAML file, read within limits.

They are built from libyaml's events instead of by PyYAML's composer, which recurses as deep as a file is nested and
does not distinguish a plain `5` from `!!str 5`.
"""

from __future__ import annotations

from draftgenie_azure.config import yaml_words
from draftgenie_azure.config.sources import fault
from draftgenie_azure.lazy import LatePatterns

with LatePatterns():  # PyYAML's own reader, which libyaml replaces, has one that takes 4 ms
    import yaml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

DEPTH_LIMIT = 100
NODE_LIMIT = 50_000
SCALAR, LIST, MAPPING, ALIAS, END, DOCUMENT = "scalar", "list", "mapping", "alias", "end", "document"
CORE_TAG = "tag:yaml.org,2002:"
STR = CORE_TAG + "str"

_KINDS = {
    yaml.ScalarEvent: SCALAR, yaml.SequenceStartEvent: LIST, yaml.MappingStartEvent: MAPPING, yaml.AliasEvent: ALIAS,
    yaml.SequenceEndEvent: END, yaml.MappingEndEvent: END, yaml.DocumentStartEvent: DOCUMENT,
}  # fmt: skip
_CORE_TAGS = frozenset(CORE_TAG + kind for kind in ("str", "int", "float", "bool", "null", "map", "seq"))
_OWN_TAGS = {SCALAR: STR, LIST: CORE_TAG + "seq", MAPPING: CORE_TAG + "map"}
_RESOLVER: Any = yaml.resolver.Resolver()


class Node:
    """A value as written in the file.

    Attributes:
        kind: SCALAR, LIST or MAPPING.
        tag: as written, else resolved from the text of a plain scalar.
        line: line of its start, counted from 1.
        text: text of a scalar.
        is_plain: True for a scalar without quotes and without `!!str`.
        children: items of a list; alternating keys and values of a mapping.
    """

    __slots__ = ("children", "is_plain", "kind", "line", "tag", "text")

    def __init__(self, kind: str, tag: str, line: int, text: str = "", *, is_plain: bool = False) -> None:
        self.kind = kind
        self.tag = tag
        self.line = line
        self.text = text
        self.is_plain = is_plain
        self.children: list[Node] = []

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Yield the entries of a mapping."""
        return zip(self.children[::2], self.children[1::2], strict=True)


def read(path: str, source: str) -> tuple[Node | None, int]:
    """Return the root node of a file (None if it is empty) and its number of nodes.

    Raises:
        ConfigError: it is not YAML, too large or too deep, has several documents, or tags beyond the core schema.
    """
    reader = _Reader(path)
    try:
        events: Any = yaml.parse(source, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        for event in events:
            reader.take(event)
    except yaml.YAMLError as error:
        raise fault(path, *yaml_words.explain(error, source)) from None
    return reader.root, reader.count


def resolved(text: str) -> str:
    """Return the tag that a plain scalar resolves to."""
    return str(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False)))


def short_tag(tag: str) -> str:
    """Return the short form of a tag, for messages."""
    tag = "!!" + tag[len(CORE_TAG) :] if tag.startswith(CORE_TAG) else tag
    return tag if len(tag) <= 40 else tag[:37] + "…"


class _Reader:
    """Assembles nodes from events."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open: list[Node] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0
        self.root: Node | None = None
        self.count = 0

    def take(self, event: Any) -> None:
        kind = _KINDS.get(type(event))
        if kind == END:
            self._open.pop()
        elif kind == DOCUMENT:
            self._documents += 1
            if self._documents > 1:
                line = event.start_mark.line + 1
                raise fault(self._path, "contains more than one document (`---`); pass several files instead", line)
        elif kind is not None:
            self._add(kind, event, event.start_mark.line + 1)

    def _add(self, kind: str, event: Any, line: int) -> None:
        self.count += 1
        if self.count > NODE_LIMIT:
            raise fault(self._path, f"contains more than {NODE_LIMIT:,} values", line)
        node = self._known(event.anchor, line) if kind == ALIAS else self._new(kind, event, line)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        if kind in (LIST, MAPPING):
            self._open.append(node)
            if len(self._open) > DEPTH_LIMIT:
                raise fault(self._path, f"is nested deeper than {DEPTH_LIMIT} levels", line)

    def _known(self, anchor: str, line: int) -> Node:
        if anchor not in self._anchors:
            words = f"`*{anchor}` is not an anchor of this file; anchors do not apply across files"
            raise fault(self._path, words, line)
        return self._anchors[anchor]

    def _new(self, kind: str, event: Any, line: int) -> Node:
        tag = event.tag
        if tag is not None and tag not in _CORE_TAGS:
            raise fault(self._path, f"the tag `{short_tag(tag)}` is not supported", line)
        if kind == SCALAR:
            is_plain = not event.style and tag != STR
            tag = tag or (resolved(event.value) if is_plain else STR)
            node = Node(kind, tag, line, event.value, is_plain=is_plain)
        else:
            node = Node(kind, tag or _OWN_TAGS[kind], line)
        if event.anchor is not None:
            if event.anchor in self._anchors:
                raise fault(self._path, f"the anchor `&{event.anchor}` is defined twice; keep one", line)
            self._anchors[event.anchor] = node
        return node
