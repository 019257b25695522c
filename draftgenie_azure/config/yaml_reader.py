"""Read one YAML file into plain values with their line numbers.

Values are built by our own reader, because PyYAML's constructors lose what is needed to locate a fault (lines,
duplicate keys) and expand constructs that can be abused (aliases, merge keys). Decisions made here:

- Keys are always text, as written. A duplicate key is a fault that names both lines.
- Plain scalars follow YAML 1.2 where 1.1 and 1.2 differ and the meaning is clear: `1:30`, dates and `1e3` are text.
    If a reader could take it for either (`yes`, `on`, `012`, `0x1f`, `1_000`), it is a fault that asks for
    quotes, or for `true` and `false`.
- A number whose spelling would be lost in conversion (`16.10`, `+5`, more than 18 digits) stays text, which is accepted
  where a number is expected.
- `${NAME}` and `${NAME:-default}` are replaced in values, never in keys, and plain scalars are resolved afterwards, so
  that `port: ${PORT}` is a number. `$${` is an escape for `${`. A variable that is not set is a fault unless a default
  is given; as in a shell, `:-` also applies to a variable that is set but empty.
- Anchors, aliases and merge keys (`<<`) work, within a budget. Tags beyond the core schema and directives are refused.
"""

from __future__ import annotations

import re

from draftgenie_azure.config import placeholders, sources, yaml_nodes, yaml_words
from draftgenie_azure.config.keys import is_secret_key, is_template_key, is_text_key, is_vault_key
from draftgenie_azure.config.sources import SIZE_LIMIT
from draftgenie_azure.config.sources import fault as _error
from draftgenie_azure.config.yaml_nodes import CORE_TAG, DEPTH_LIMIT, LIST, MAPPING, SCALAR, STR, short_tag
from draftgenie_azure.errors import ConfigError, Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.config.keys import Key
    from draftgenie_azure.config.yaml_nodes import Node

ALIAS_LIMIT = 20_000  # values in the result that repeat others by an alias or merge key
_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
_OLD_INT = re.compile(r"[-+]?(?:0x[0-9a-fA-F_]+|0b[01_]+|[0-9][0-9_]*)")
_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_INSIDE_ITSELF = "an alias refers to a value that contains it"


class Document:
    """The values of one file, and their locations.

    Attributes:
        values: the root mapping, made of dict, list, str, int, float, bool and None.
        lines: path of keys and list positions -> line, counted from 1. For an entry of a mapping, the line of its key.
        from_environment: path of each value that contained a `${NAME}` -> the names, in order.
        variables: each variable that was looked up -> its value, or None if it was not set.
    """

    __slots__ = ("from_environment", "lines", "values", "variables")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.lines: dict[Key, int] = {}
        self.from_environment: dict[Key, tuple[str, ...]] = {}
        self.variables: dict[str, str | None] = {}


def read_document(path: str, environ: Mapping[str, str], text: bytes | None = None) -> Document:
    """Parse a file, or the bytes of one.

    Args:
        path: the file, also used to name it in faults.
        environ: source of `${NAME}`.
        text: the file's bytes, if the caller has already read them.

    Raises:
        ConfigError: lists every fault found: unreadable, too large, not YAML, not a mapping, …
    """
    if text is None:
        text = sources.read_source(path)
    source = _decode(path, text)
    root, count = yaml_nodes.read(path, source)
    if root is None or (root.is_plain and root.text == ""):
        return Document()  # such as an overlay with everything commented out
    if root.kind != MAPPING:
        raise _error(path, _no_mapping(root), root.line)
    builder = _Builder(path, environ, count + ALIAS_LIMIT)
    builder.document.values = builder.mapping(root, ())
    if builder.faults:
        raise ConfigError(builder.faults)
    return builder.document


def _no_mapping(root: Node) -> str:
    found = yaml_words.invisible(root.text)
    if found:
        return f"must be a mapping of sections; {found} is used as a space; replace it"
    return "must be a mapping of sections (`azure:`, `services:`, …)"


def _decode(path: str, data: bytes) -> str:
    source = sources.decode(path, data)
    if source.startswith("%") or "\n%" in source:
        # libyaml compares each %TAG with all previous ones: thousands of them take seconds.
        start = 0 if source.startswith("%") else source.index("\n%") + 1
        line = source.count("\n", 0, start) + 1
        raise _error(path, "directives (`%…` at the start of a line) are not supported", line)
    return source


class _Builder:
    """Builds values from nodes, counting each use of a shared one."""

    def __init__(self, path: str, environ: Mapping[str, str], budget: int) -> None:
        self.path = path
        self.environ = environ
        self.budget = budget
        self.substituted = 0
        self.document = Document()
        self.faults: list[Fault] = []
        self.open: set[int] = set()
        self.flat: dict[int, dict[str, tuple[Node, Node]]] = {}

    def fault(self, message: str, key: Key, node: Node) -> None:
        if len(self.faults) < 100:
            self.faults.append(Fault(message, key=".".join(map(str, key)), file=self.path, line=node.line))

    def spend(self, node: Node, count: int = 1) -> None:
        self.budget -= count
        if self.budget < 0:
            message = f"aliases and merge keys repeat more than {ALIAS_LIMIT:,} values"
            raise _error(self.path, message, node.line)

    def value(self, node: Node, key: Key) -> Any:
        self.spend(node)
        if node.kind == SCALAR:
            return self.scalar(node, key)
        if id(node) in self.open:
            raise _error(self.path, _INSIDE_ITSELF, node.line)
        if len(key) > DEPTH_LIMIT:
            raise _error(self.path, f"aliases nest deeper than {DEPTH_LIMIT} levels", node.line)
        if node.kind == MAPPING:
            return self.mapping(node, key)
        if node.tag != CORE_TAG + "seq":
            self.fault(f"a list cannot have the tag `{short_tag(node.tag)}`", key, node)
        self.open.add(id(node))
        values = []
        for position, item in enumerate(node.children):
            place = (*key, position)
            self.document.lines[place] = item.line
            values.append(self.value(item, place))
        self.open.discard(id(node))
        return values

    def mapping(self, node: Node, key: Key) -> dict[str, Any]:
        if node.tag != CORE_TAG + "map":
            self.fault(f"a mapping cannot have the tag `{short_tag(node.tag)}`", key, node)
        pairs = self.pairs(node, key)
        self.open.add(id(node))
        values = {}
        for name, (key_node, value_node) in pairs.items():
            place = (*key, name)
            self.document.lines[place] = key_node.line
            values[name] = self.value(value_node, place)
        self.open.discard(id(node))
        return values

    def pairs(self, node: Node, key: Key) -> dict[str, tuple[Node, Node]]:
        """Return the entries of a mapping, including those of its merge keys, which its own override."""
        if (known := self.flat.get(id(node))) is not None:
            return known
        self.open.add(id(node))
        own, merged = self.own_pairs(node, key)
        pairs: dict[str, tuple[Node, Node]] = {}
        for source in merged:
            for name, pair in self.merged_pairs(source, key).items():
                pairs.setdefault(name, pair)
        self.open.discard(id(node))
        pairs.update(own)
        self.flat[id(node)] = pairs
        return pairs

    def own_pairs(self, node: Node, key: Key) -> tuple[dict[str, tuple[Node, Node]], list[Node]]:
        """Return the entries written in a mapping, and the nodes that its merge key refers to."""
        own: dict[str, tuple[Node, Node]] = {}
        merged: list[Node] = []
        merge_line = 0
        for key_node, value_node in node.pairs():
            name = key_node.text
            if key_node.kind != SCALAR:
                self.fault("a key must be text (a value that begins with `{{` needs quotes around it)", key, key_node)
            elif key_node.tag == CORE_TAG + "merge":
                if merge_line:
                    message = f"duplicate merge key `<<` (first on line {merge_line}); write `<<: [*a, *b]`"
                    self.fault(message, key, key_node)
                merge_line = key_node.line
                merged.extend(value_node.children if value_node.kind == LIST else [value_node])
            elif name in own:
                self.fault(f"duplicate key (first on line {own[name][0].line}); keep one", (*key, name), key_node)
            elif not name:
                self.fault("a key is empty", key, key_node)
            elif key_node.is_plain and (found := yaml_words.invisible(name, key=True)):
                self.fault(f"{found} is used as a space; replace it", key, key_node)
            else:
                own[name] = (key_node, value_node)
        return own, merged

    def merged_pairs(self, source: Node, key: Key) -> dict[str, tuple[Node, Node]]:
        """Return the entries of a mapping that a merge key refers to."""
        if source.kind != MAPPING:
            self.fault("`<<` takes a mapping or a list of mappings", key, source)
            return {}
        if id(source) in self.open:
            raise _error(self.path, _INSIDE_ITSELF, source.line)
        if len(self.open) > DEPTH_LIMIT:
            raise _error(self.path, f"merge keys nest deeper than {DEPTH_LIMIT} levels", source.line)
        entries = self.pairs(source, key)
        self.spend(source, len(entries))
        return entries

    def scalar(self, node: Node, key: Key) -> Any:
        text, tag = node.text, node.tag
        if "${" in text:
            replaced = self.substitute(text, node, key)
            if replaced is None:
                return None
            if key in self.document.from_environment and node.is_plain and tag == STR:
                tag = yaml_nodes.resolved(replaced)
                if is_text_key(key) and not _keeps_its_spelling(tag, replaced):
                    tag = STR
            text = replaced
        elif node.is_plain and (found := yaml_words.invisible(text)):
            self.fault(f"{found} is used as a space; replace it, or put quotes around the value", key, node)
        kind = tag[len(CORE_TAG) :] if tag.startswith(CORE_TAG) else "str"
        value, message = _resolve(kind, text)
        if message is not None:
            is_shown = key not in self.document.from_environment and not is_secret_key(".".join(map(str, key)))
            self.fault(message if is_shown else _hidden(kind), key, node)
        return value

    def substitute(self, text: str, node: Node, key: Key) -> str | None:
        """Substitute the variables in a text; report a fault and return None if that fails.

        The value of a variable is literal text: where placeholders are parsed, its braces are escaped. If a variable is
        not set, a value that the vault may have already becomes empty.
        """
        pieces: list[tuple[str, bool]] = []  # text, and whether it came from the environment
        end = 0
        missing = False
        for match in _VARIABLE.finditer(text):
            pieces.append((text[end : match.start()], False))
            end = match.end()
            if match[1] is None:
                pieces.append(("${", False))
                continue
            if message := _bad_reference(match):
                self.fault(f"{message}; `$${{` stands for `${{`", key, node)
                return None
            value, name = self.look_up(match[1], key)
            if value is None:
                missing = True
                if not is_vault_key(key):
                    message = f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
                    self.fault(message, key, node)
                continue
            if is_text_key(key) and not _is_utf8(value):
                self.fault(f"the value of {name} is not UTF-8 text; Azure takes nothing else", key, node)
                return None
            self.substituted += len(value)
            if self.substituted > SIZE_LIMIT:
                raise _error(self.path, f"`${{…}}` adds more than {SIZE_LIMIT:,} characters", node.line)
            pieces.append((value, True))
        pieces.append((text[end:], False))
        if missing:
            return "" if is_vault_key(key) else None
        return self.joined(pieces, node, key) if is_template_key(key) else "".join(piece for piece, _ in pieces)

    def look_up(self, reference: str, key: Key) -> tuple[str | None, str]:
        """Return the value of `NAME` or `NAME:-default` (None if there is none) and the name."""
        name, separator, default = reference.partition(":-")
        value = self.environ.get(name)
        self.document.variables[name] = value
        known = self.document.from_environment.get(key, ())
        self.document.from_environment[key] = known if name in known else (*known, name)
        return (default if separator and not value else value), name

    def joined(self, pieces: list[tuple[str, bool]], node: Node, key: Key) -> str | None:
        parts: list[str] = []
        before, foreign = "", False
        for piece, from_environment in pieces:
            if piece and before.endswith("{") and piece.startswith("{") and (foreign or from_environment):
                message = "a brace in the file and one from the environment would form a placeholder; separate them"
                self.fault(message, key, node)
                return None
            if piece:
                before, foreign = piece, from_environment
            parts.append(placeholders.escape(piece) if from_environment else piece)
        return "".join(parts)


def _bad_reference(match: re.Match[str]) -> str | None:
    """Return the fault of one `${…}`, or None."""
    name, _, default = match[1].partition(":-")
    if not match[0].endswith("}") or not _NAME.fullmatch(name) or "${" in default:
        return "`${…}` must be `${NAME}` or `${NAME:-default}`, without nesting"
    if "{" in default:
        return f"the default of `${{{name}:-…}}` ends at its first `}}` and cannot contain a brace; set {name} instead"
    return None


def _is_utf8(text: str) -> bool:
    """Return whether every byte of an environment variable's value could be decoded."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _keeps_its_spelling(tag: str, text: str) -> bool:
    """Return whether a value keeps the spelling of its variable; `True`, `null` and `0123` do not."""
    value, message = _resolve(tag.removeprefix(CORE_TAG), text)
    return message is None and (value is None) == (text == "") and (not isinstance(value, bool) or text.islower())


def _hidden(kind: str) -> str:
    wanted = {"bool": "true or false", "int": "an integer", "float": "a number"}.get(kind, "a plain value")
    return f"the value is not {wanted} as it is written; put quotes around it if it is text"


def _resolve(kind: str, text: str) -> tuple[Any, str | None]:
    """Return a scalar's value, and its fault or None."""
    if kind == "null":
        if text in ("", "~", "null", "Null", "NULL"):
            return None, None
        return None, "is tagged as null but has a value"
    if kind == "bool":
        word = text.lower()
        if word in ("true", "false"):
            return word == "true", None
        return None, f"`{text[:20]}` may be text or a truth value: write true or false, or put quotes around it"
    if kind == "int":
        if _INT.fullmatch(text.removeprefix("+")):
            return (int(text) if len(text) <= 18 and str(int(text)) == text else text), None
        if _OLD_INT.fullmatch(text):
            return None, f"`{text[:20]}` is ambiguous: write a plain number, or put quotes around it"
        return (text, None) if text[:1] in "+-0123456789" and text else (None, "is tagged as a number but is not")
    if kind == "float":
        try:
            number = float(text)
        except ValueError:
            return (text, None) if text[:1] in "+-.0123456789" and text else (None, "is tagged as a number but is not")
        return (number if repr(number) == text else text), None
    return text, None
