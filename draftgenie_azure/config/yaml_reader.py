"""Read one YAML file into plain values and the line that each stands on.

Values are built from PyYAML's nodes by a reader of our own, because its constructors lose what people need to find a
fault (lines, duplicate keys) and expand what can hurt (aliases, merge keys). What is decided here:

- Keys are always text, as they are written. A key given twice is a fault that names both lines.
- Plain scalars follow YAML 1.2 where 1.1 and 1.2 differ and the meaning is clear: `1:30`, dates and `1e3` are text.
  Where a reader of the file could take it for either (`yes`, `on`, `012`, `0x1f`, `1_000`), it is a fault that asks for
  quotes, or for `true` and `false`.
- A number whose spelling a number would lose (`16.10`, `+5`, more than 18 digits) stays text; what wants a number takes
  such a text too.
- `${NAME}` and `${NAME:-default}` are replaced in values, never in keys, and plain scalars are resolved afterwards, so
  that `port: ${PORT}` is a number. `$${` stands for `${`. A variable that is not set is a fault unless a default
  stands beside it; as in a shell, `:-` also serves a variable that is set and empty.
- Anchors, aliases and merge keys (`<<`) work, within a budget. Tags beyond the core schema and directives are refused.
"""

from __future__ import annotations

import re

import yaml

from draftgenie_azure.config import placeholders, sources, yaml_words
from draftgenie_azure.config.keys import is_secret_key, is_template_key, is_vault_key
from draftgenie_azure.config.sources import SIZE_LIMIT
from draftgenie_azure.config.sources import fault as _error
from draftgenie_azure.errors import ConfigError, Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from draftgenie_azure.config.keys import Key

DEPTH_LIMIT = 100
NODE_LIMIT = 50_000
ALIAS_LIMIT = 20_000  # values that stand in the result because an alias or a merge key repeats them

_TAG = "tag:yaml.org,2002:"
_CORE_TAGS = frozenset(_TAG + kind for kind in ("str", "int", "float", "bool", "null", "map", "seq"))
_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
_OLD_INT = re.compile(r"[-+]?(?:0x[0-9a-fA-F_]+|0b[01_]+|[0-9][0-9_]*)")
_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Document:
    """The values of one file, and where they stand.

    Attributes:
        values: the root mapping, made of dict, list, str, int, float, bool and None.
        lines: path of keys and list positions -> line, counted from 1. Of a mapping's entry, the line of its key.
        from_environment: path of each value in which a `${NAME}` stood -> the names, in their order.
        variables: every variable that was asked for, with its value, or None where it was not set.
    """

    __slots__ = ("from_environment", "lines", "values", "variables")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.lines: dict[Key, int] = {}
        self.from_environment: dict[Key, tuple[str, ...]] = {}
        self.variables: dict[str, str | None] = {}


def read_document(path: str, environ: Mapping[str, str], text: bytes | None = None) -> Document:
    """Read a file, or the bytes of one.

    Args:
        path: the file; also what faults call it.
        environ: where `${NAME}` is looked up.
        text: the file's bytes, where the caller has them already.

    Raises:
        ConfigError: with every fault that could be found: unreadable, too large, not YAML, not a mapping, …
    """
    if text is None:
        text = sources.read_source(path)
    source = _decode(path, text)
    count, marked = _check_events(path, source)
    loader: Any = _loader()(source)
    try:
        root = loader.get_single_node()
        if root is None or (isinstance(root, yaml.ScalarNode) and root.value == "" and not root.style):
            return Document()  # as an overlay in which everything is commented out
        if not isinstance(root, yaml.MappingNode):
            raise _error(path, _no_mapping(root), _line(root))
        builder = _Builder(path, environ, loader, count + ALIAS_LIMIT, marked)
        builder.document.values = builder.mapping(root, ())
    except yaml.YAMLError as error:
        raise _yaml_error(path, error, source) from None
    finally:
        loader.dispose()
    if builder.faults:
        raise ConfigError(builder.faults)
    return builder.document


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _no_mapping(root: Any) -> str:
    found = yaml_words.invisible(root.value) if isinstance(root, yaml.ScalarNode) else None
    if found:
        return f"must be a mapping of sections; {found} stands where a space should: replace it"
    return "must be a mapping of sections (`azure:`, `services:`, …)"


def _yaml_error(path: str, error: yaml.YAMLError, source: str) -> ConfigError:
    return _error(path, *yaml_words.explain(error, source))


def _decode(path: str, data: bytes) -> str:
    source = sources.decode(path, data)
    if source.startswith("%") or "\n%" in source:
        # libyaml compares each %TAG with all before it: thousands of them take seconds.
        start = 0 if source.startswith("%") else source.index("\n%") + 1
        line = source.count("\n", 0, start) + 1
        raise _error(path, "directives (`%…` at the start of a line) are not supported", line)
    return source


def _check_events(path: str, source: str) -> tuple[int, set[tuple[int, int]]]:
    """Refuse what would crash or stall the composer (libyaml's recurses).

    Returns:
        The number of nodes, and where scalars with `!!str` begin: a node does not tell those from other plain ones.
    """
    depth = count = documents = 0
    marked: set[tuple[int, int]] = set()
    try:
        events: Any = yaml.parse(source, Loader=_loader())
        for event in events:
            kind = type(event)  # isinstance would tell mypy more than the stubs know about marks
            if issubclass(kind, yaml.NodeEvent):
                count += 1
                if count > NODE_LIMIT:
                    raise _error(path, f"holds more than {NODE_LIMIT:,} values", _line(event))
                tag = getattr(event, "tag", None)
                if tag == _TAG + "str":
                    marked.add((event.start_mark.line, event.start_mark.column))
                elif tag is not None and tag not in _CORE_TAGS:
                    raise _error(path, f"the tag `{_short_tag(tag)}` is not supported", _line(event))
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEPTH_LIMIT:
                    raise _error(path, f"is nested deeper than {DEPTH_LIMIT} levels", _line(event))
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    line = _line(event)
                    raise _error(path, "holds more than one document (`---`); pass several files instead", line)
    except yaml.YAMLError as error:
        raise _yaml_error(path, error, source) from None
    return count, marked


def _line(thing: Any) -> int:
    """The line, counted from 1, on which a node or an event begins."""
    return int(thing.start_mark.line) + 1


def _short_tag(tag: str) -> str:
    tag = "!!" + tag[len(_TAG) :] if tag.startswith(_TAG) else tag
    return tag if len(tag) <= 40 else tag[:37] + "…"


class _Builder:
    """Turns nodes into values, counting each use of a shared one."""

    def __init__(
        self, path: str, environ: Mapping[str, str], loader: Any, budget: int, marked: set[tuple[int, int]]
    ) -> None:
        self.path = path
        self.environ = environ
        self.loader = loader
        self.budget = budget
        self.marked = marked
        self.substituted = 0
        self.document = Document()
        self.faults: list[Fault] = []
        self.open: set[int] = set()
        self.flat: dict[int, dict[str, tuple[Any, Any]]] = {}

    def fault(self, message: str, key: Key, node: Any) -> None:
        if len(self.faults) < 100:
            line = _line(node)
            self.faults.append(Fault(message, key=".".join(map(str, key)), file=self.path, line=line))

    def spend(self, node: Any, count: int = 1) -> None:
        self.budget -= count
        if self.budget < 0:
            message = f"aliases and merge keys repeat more than {ALIAS_LIMIT:,} values"
            raise _error(self.path, message, _line(node))

    def value(self, node: Any, key: Key) -> Any:
        self.spend(node)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, key)
        if id(node) in self.open:
            raise _error(self.path, "an alias stands inside of what it stands for", _line(node))
        if len(key) > DEPTH_LIMIT:
            raise _error(self.path, f"aliases nest deeper than {DEPTH_LIMIT} levels", _line(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, key)
        if node.tag != _TAG + "seq":
            self.fault(f"a list cannot have the tag `{_short_tag(node.tag)}`", key, node)
        self.open.add(id(node))
        values = []
        for position, item in enumerate(node.value):
            place = (*key, position)
            self.document.lines[place] = _line(item)
            values.append(self.value(item, place))
        self.open.discard(id(node))
        return values

    def mapping(self, node: Any, key: Key) -> dict[str, Any]:
        if node.tag != _TAG + "map":
            self.fault(f"a mapping cannot have the tag `{_short_tag(node.tag)}`", key, node)
        pairs = self.pairs(node, key)
        self.open.add(id(node))
        values = {}
        for name, (key_node, value_node) in pairs.items():
            place = (*key, name)
            self.document.lines[place] = _line(key_node)
            values[name] = self.value(value_node, place)
        self.open.discard(id(node))
        return values

    def pairs(self, node: Any, key: Key) -> dict[str, tuple[Any, Any]]:
        """The entries of a mapping with those of its merge keys, which yield to its own."""
        if (known := self.flat.get(id(node))) is not None:
            return known
        own: dict[str, tuple[Any, Any]] = {}
        merged: list[Any] = []
        merge_line = 0
        self.open.add(id(node))
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.fault("a key must be text (a value that begins with `{{` needs quotes around it)", key, key_node)
                continue
            if key_node.tag == _TAG + "merge":
                if merge_line:
                    self.fault(f"`<<` stands here and in line {merge_line}; write `<<: [*a, *b]`", key, key_node)
                merge_line = _line(key_node)
                merged.extend(value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node])
                continue
            name = key_node.value
            if name in own:
                first = own[name][0].start_mark.line + 1
                self.fault(f"the key stands here and in line {first}; keep one", (*key, name), key_node)
            elif not name:
                self.fault("a key is empty", key, key_node)
            elif not key_node.style and (found := yaml_words.invisible(name, key=True)):
                self.fault(f"{found} stands where a space should; replace it", key, key_node)
            else:
                own[name] = (key_node, value_node)
        pairs: dict[str, tuple[Any, Any]] = {}
        for source in merged:
            if not isinstance(source, yaml.MappingNode):
                self.fault("`<<` takes a mapping or a list of mappings", key, source)
                continue
            if id(source) in self.open:
                raise _error(self.path, "an alias stands inside of what it stands for", _line(source))
            if len(self.open) > DEPTH_LIMIT:
                raise _error(self.path, f"merge keys nest deeper than {DEPTH_LIMIT} levels", _line(source))
            entries = self.pairs(source, key)
            self.spend(source, len(entries))
            for name, pair in entries.items():
                pairs.setdefault(name, pair)
        self.open.discard(id(node))
        pairs.update(own)
        self.flat[id(node)] = pairs
        return pairs

    def scalar(self, node: Any, key: Key) -> Any:
        text: str = node.value
        tag: str = node.tag
        plain = not node.style and (node.start_mark.line, node.start_mark.column) not in self.marked
        if "${" in text:
            replaced = self.substitute(text, node, key)
            if replaced is None:
                return None
            if key in self.document.from_environment and plain and tag == _TAG + "str":
                tag = self.loader.resolve(yaml.ScalarNode, replaced, (True, False))
            text = replaced
        elif plain and (found := yaml_words.invisible(text)):
            self.fault(f"{found} stands where a space should; replace it, or put quotes around the value", key, node)
        kind = tag[len(_TAG) :] if tag.startswith(_TAG) else "str"
        value, message = _resolve(kind, text)
        if message is not None:
            is_shown = key not in self.document.from_environment and not is_secret_key(".".join(map(str, key)))
            self.fault(message if is_shown else _hidden(kind), key, node)
        return value

    def substitute(self, text: str, node: Any, key: Key) -> str | None:
        """A text with the variables put in; None, and a fault, where that cannot be.

        What a variable brings is text: where placeholders are read, its braces are escaped. A value that the vault may
        have already is empty where a variable is not set.
        """
        pieces: list[tuple[str, bool]] = []  # with whether it came from the environment
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
            self.substituted += len(value)
            if self.substituted > SIZE_LIMIT:
                raise _error(self.path, f"`${{…}}` adds more than {SIZE_LIMIT:,} characters", _line(node))
            pieces.append((value, True))
        pieces.append((text[end:], False))
        if missing:
            return "" if is_vault_key(key) else None
        return self.joined(pieces, node, key) if is_template_key(key) else "".join(piece for piece, _ in pieces)

    def look_up(self, reference: str, key: Key) -> tuple[str | None, str]:
        """The value of `NAME` or `NAME:-default`, or None where there is none; and the name."""
        name, separator, default = reference.partition(":-")
        value = self.environ.get(name)
        self.document.variables[name] = value
        known = self.document.from_environment.get(key, ())
        self.document.from_environment[key] = known if name in known else (*known, name)
        return (default if separator and not value else value), name

    def joined(self, pieces: list[tuple[str, bool]], node: Any, key: Key) -> str | None:
        parts: list[str] = []
        before, foreign = "", False
        for piece, from_environment in pieces:
            if piece and before.endswith("{") and piece.startswith("{") and (foreign or from_environment):
                message = "a brace in the file and one from the environment would make a placeholder; part them"
                self.fault(message, key, node)
                return None
            if piece:
                before, foreign = piece, from_environment
            parts.append(placeholders.escape(piece) if from_environment else piece)
        return "".join(parts)


def _bad_reference(match: re.Match[str]) -> str | None:
    """What is wrong with one `${…}`."""
    name, _, default = match[1].partition(":-")
    if not match[0].endswith("}") or not _NAME.fullmatch(name) or "${" in default:
        return "`${…}` must be `${NAME}` or `${NAME:-default}`, without another one inside"
    if "{" in default:
        return f"the default of `${{{name}:-…}}` ends at its first `}}` and cannot hold a brace; set {name} instead"
    return None


def _hidden(kind: str) -> str:
    wanted = {"bool": "true or false", "int": "a whole number", "float": "a number"}.get(kind, "a plain value")
    return f"the value is not {wanted} as it is written; put quotes around it if it is text"


def _resolve(kind: str, text: str) -> tuple[Any, str | None]:
    """A scalar's value, and what is wrong with it."""
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
        return (text, None) if text[:1] in "+-0123456789" and text else (None, "is tagged as a number but is none")
    if kind == "float":
        try:
            number = float(text)
        except ValueError:
            return (text, None) if text[:1] in "+-.0123456789" and text else (None, "is tagged as a number but is none")
        return (number if repr(number) == text else text), None
    return text, None
