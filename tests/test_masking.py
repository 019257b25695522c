"""The mask: a secret is found however it is written, and nothing else is hidden."""

from __future__ import annotations

import base64
import html
import json
import quopri
import re
import shlex
import threading
import unicodedata
import urllib.parse
from collections.abc import Callable
from html.entities import codepoint2name

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draftgenie_azure.masking import HIDDEN, Mask

AWKWARD = 'p@ss/w+rd "ä\\n%41&<é>=\'`{|}~ end'
WRITINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda s: s,
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON without ASCII escapes": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda s: json.dumps(json.dumps({"password": s})),
    "JSON as .NET writes it": lambda s: "".join(
        c if c.isascii() and c.isalnum() else "".join(f"\\u{unit:04X}" for unit in _utf16(c)) for c in s
    ),
    "JSON with escaped slashes": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "URL": lambda s: urllib.parse.quote(s, safe=""),
    "URL, slashes kept": urllib.parse.quote,
    "URL in lower case": lambda s: "".join(
        part.lower() if part[0] == "%" else part for part in _split(urllib.parse.quote(s, safe=""))
    ),
    "form": urllib.parse.quote_plus,
    "URL in a URL": lambda s: urllib.parse.quote(urllib.parse.quote(s, safe=""), safe=""),
    "URL in JSON": lambda s: json.dumps({"url": "https://u:" + urllib.parse.quote(s, safe="") + "@h"}),
    "HTML": html.escape,
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 without padding": lambda s: base64.b64encode(s.encode()).decode().rstrip("="),
    "urlsafe base64": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "basic authentication": lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
    "base64 of JSON": lambda s: base64.b64encode(json.dumps({"a": 1, "key": s}, ensure_ascii=False).encode()).decode(),
    "base64 in a URL": lambda s: urllib.parse.quote(base64.b64encode(f"ab{s}cd".encode()).decode(), safe=""),
    "wrapped base64": lambda s: base64.encodebytes(f"{'x' * 50}{s}{'y' * 50}".encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "bytes as Python shows them": lambda s: repr(s.encode())[2:-1],
    "bytes in octal": lambda s: "".join(chr(b) if 32 <= b < 127 and b != 92 else f"\\{b:03o}" for b in s.encode()),
    "a literal of JavaScript or Rust": lambda s: "".join(
        c if c.isascii() else f"\\u{{{ord(c):x}}}" for c in json.dumps(s, ensure_ascii=False)[1:-1]
    ),
    "HTML with names": lambda s: "".join(f"&{codepoint2name[ord(c)]};" if ord(c) in codepoint2name else c for c in s),
    "shell": shlex.quote,
    "shell, as it shows what it runs": lambda s: s.replace("'", "'\\''"),
    "SQL": lambda s: s.replace("'", "''"),
    "CSV": lambda s: s.replace('"', '""'),
    "base64 of JSON in ASCII": lambda s: base64.b64encode(json.dumps({"key": s}).encode()).decode(),
    "base64 of a URL": lambda s: base64.b64encode(f"amqp://u:{urllib.parse.quote(s, safe='')}@h".encode()).decode(),
    "base64 in base64": lambda s: base64.b64encode(base64.b64encode(s.encode())).decode(),
    "UTF-8 read as Latin-1": lambda s: s.encode().decode("latin-1"),
    "Latin-1 read as UTF-8": lambda s: s.encode("latin-1", "replace").decode("utf-8", "replace"),
    "quoted-printable": lambda s: quopri.encodestring(s.encode()).decode(),
    "quoted-printable with a soft line break": lambda s: "".join(f"={b:02X}" for b in s.encode()[:3]) + "=\r\n"
    + quopri.encodestring(s.encode()[3:]).decode(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "hex with blanks, in capitals": lambda s: s.encode().hex(" ").upper(),
    "hex with hyphens": lambda s: s.encode().hex("-"),
    "hex in a program": lambda s: ", ".join(f"0x{byte:02x}" for byte in s.encode()),
    "a line of xxd": lambda s: s.encode().hex(" ", -2),
    "a buffer of Node": lambda s: json.dumps({"type": "Buffer", "data": list(s.encode())}),
    "bytes in Go": lambda s: f"[{' '.join(map(str, s.encode()))}]",
    "base32": lambda s: base64.b32encode(s.encode()).decode(),
    "base32 in a text": lambda s: base64.b32encode(f"user:{s}".encode()).decode().rstrip("="),
    "base32 in small letters": lambda s: base64.b32encode(b"xyz" + s.encode() + b"x").decode().lower(),
    "letters and accents apart": lambda s: unicodedata.normalize("NFD", s),
    "letters and accents joined": lambda s: unicodedata.normalize("NFC", s),
    "coloured": lambda s: f"{s[:2]}\x1b[1;31m{s[2:4]}\x1b[0m{s[4:]}",
    "with a soft hyphen": lambda s: f"{s[:3]}\u00ad{s[3:]}",
    "UTF-16 read as UTF-8": lambda s: s.encode("utf-16-le").decode("latin-1") if s.isascii() else s,
    "base64 of UTF-16, the high byte first": lambda s: base64.b64encode(s.encode("utf-16-be")).decode(),
    "ASCII": lambda s: s.encode("ascii", "replace").decode(),
}


def _utf16(character: str) -> list[int]:
    data = character.encode("utf-16-be")
    return [data[0] << 8 | data[1]] + ([data[2] << 8 | data[3]] if len(data) == 4 else [])


def _split(quoted: str) -> list[str]:
    return [part for part in re.split(r"(%..)", quoted) if part]


def hidden(secret: str, text: str) -> str:
    """A text behind a mask that knows one secret."""
    mask = Mask()
    mask.add(secret)
    return mask.text(text)


@pytest.mark.parametrize("secret", [AWKWARD, "hunter22", "Sup3r-s3cret-value", "päßwörd-ünd-mehr", "🔑🔑-key-1"])
@pytest.mark.parametrize("writing", WRITINGS)
def test_secret_is_hidden_in_every_spelling(secret: str, writing: str) -> None:
    written = WRITINGS[writing](secret)

    for before, after in (("", ""), ("log: ", " end"), ("x=", "&y=z"), ("ä\n", "\n")):
        shown = hidden(secret, before + written + after)

        assert HIDDEN in shown
        assert secret not in shown
        assert written not in shown
        assert len(shown) < len(before + written + after) or len(written) < 6


@given(st.text(min_size=6, max_size=40).filter(lambda s: s.strip() == s), st.text(max_size=40), st.text(max_size=40))
def test_any_secret_is_hidden_in_any_text_as_json_url_and_base64(secret: str, before: str, after: str) -> None:
    """In any context; except for lone surrogates, which neither URL nor base64 can represent."""
    if not secret.isprintable():
        return
    whole = f"{before} {secret} {after}"
    assert secret not in hidden(secret, whole)
    assert secret not in json.loads(f'"{_inside(hidden(secret, json.dumps(whole)))}"')
    assert secret not in urllib.parse.unquote(hidden(secret, urllib.parse.quote(whole, safe="")))
    encoded = base64.b64encode(whole.encode()).decode()
    shown = hidden(secret, encoded)
    assert HIDDEN in shown
    for piece in shown.split(HIDDEN):
        for shift in range(4):
            text = piece[shift:]
            decoded = base64.b64decode(text[: len(text) // 4 * 4], validate=False) if text else b""
            assert secret.encode() not in decoded


def _inside(quoted: str) -> str:
    return quoted[1:-1]


def test_overlapping_secrets_leave_nothing() -> None:
    mask = Mask()
    mask.add("alpha-BRAVO-1", "BRAVO-1-charlie")
    assert mask.text("<alpha-BRAVO-1-charlie>") == f"<{HIDDEN}>"


def test_text_without_a_secret_is_unchanged() -> None:
    text = 'GET /a%20b "x\\u0041" &amp; \\n\nCREATE: https://example.org/?q=%F0%9F%94%91 ## ::'
    assert hidden("Sup3r-s3cret", text) == text


def test_parts_of_a_secret_are_hidden() -> None:
    """An application logs the password of its database URL, a key of its connection string, a line of its PEM file."""
    url = "postgresql+asyncpg://genie:p%40ss-w0rd@db.example:5432/app"
    storage = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abcdEFGH0123==;EndpointSuffix=x"
    sas = "https://a.blob.example/c/x.tgz?sv=2021&sig=QWxhZGRpbjpvcGVu%2Fc2VzYW1l&se=2026"
    pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqh\nkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
    account = json.dumps({"type": "service_account", "private_key": "line-one\nline-two-of-key", "project": "genie"})
    mask = Mask()
    mask.add(url, storage, sas, pem, account)
    for part in ("p%40ss-w0rd", "p@ss-w0rd", "abcdEFGH0123==", "QWxhZGRpbjpvcGVu%2Fc2VzYW1l", "kiG9w0BAQEFAASC"):
        assert mask.text(f"[{part}]") == f"[{HIDDEN}]", part
    mask.add("first-line-1\nsh0rt7\nfalse,\nlast-line-2")
    assert mask.text("sh0rt7") == HIDDEN
    assert mask.text("false,") == "false,"
    assert "line-two" not in mask.text(account)
    assert "line-two" not in mask.text("key: line-one\nline-two-of-key")
    assert mask.text("genie asked db.example:5432") == "genie asked db.example:5432"


@pytest.mark.parametrize("width", [64, 76])
@pytest.mark.parametrize("before", ["", "x", "xy", "user:"])
def test_lines_of_base64_are_hidden_separately(width: int, before: str) -> None:
    """Lines as in `--logs`, with timestamps; a few bytes of the beginning and the end may remain."""
    secret = json.dumps({"private_key": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n" + "Ab+/9" * 30})
    encoded = base64.b64encode((before + secret).encode()).decode()
    mask = Mask()
    mask.add(secret)

    shown = [mask.text(f"2026-11-28T15:07:47Z {encoded[i : i + width]}") for i in range(0, len(encoded), width)]

    kept = "".join(line.removeprefix("2026-11-28T15:07:47Z ").replace(HIDDEN, "") for line in shown)
    assert len(kept) <= len(before) + 16, kept
    assert mask.text("a line of its own: resourceGroups\nconfigure_environment_variables") == (
        "a line of its own: resourceGroups\nconfigure_environment_variables"
    )


def test_numbers_that_are_no_secret_are_as_they_were() -> None:
    text = "2026-11-28 19:12:50,123 00:1b:44:11:3a:b7, [104, 117, 110, 116, 101, 114], 12345678-1234-1234-1234 =41 =\n"
    assert hidden("Sup3r-s3cret", text) == text


def test_value_that_a_secret_replaces_is_hidden() -> None:
    mask = Mask()
    mask.add("new-token-0001")
    mask.add_replaced(["serve", "--key=old-token-0001"], ["serve", "--key=new-token-0001"])
    mask.add_replaced("from-before-0002", "https://x/?key=new-token-0001")
    mask.add_replaced("standard", "Premium-0")
    assert mask.text("serve --key=old-token-0001") == f"serve {HIDDEN}"
    assert mask.text("from-before-0002 standard") == f"{HIDDEN} standard"


def test_short_values_do_not_hide_everything() -> None:
    mask = Mask()
    mask.add("a", "abc", "1234", "", None, 5)
    assert mask.text("a cab abc, pin 1234 of 12345; x1234") == f"a cab abc, pin {HIDDEN} of 12345; x1234"
    assert mask.text("MTIzNA== and YWJj") == f"{HIDDEN}== and YWJj"


def test_public_name_is_not_hidden() -> None:
    mask = Mask()
    mask.allow(["draftgenie-rg", "api_gateway"])
    mask.add("draftgenie", "api_gateway", "another-one-9")
    assert mask.text("draftgenie-rg api_gateway another-one-9") == f"draftgenie-rg api_gateway {HIDDEN}"


def test_document_keeps_its_keywords_although_a_secret_equals_one() -> None:
    mask = Mask()
    mask.add("completed", "Tr0ub4dor&3-horse")
    document = {"status": "completed", "error": "completed with Tr0ub4dor&3-horse", "id": "/x/Tr0ub4dor&3-horse"}
    shown = {"status": "completed", "error": f"{HIDDEN} with {HIDDEN}", "id": f"/x/{HIDDEN}"}
    assert mask.document(document) == shown


def test_secret_added_later_is_hidden_in_a_text_seen_before() -> None:
    mask = Mask()
    mask.add("first-secret-1")
    assert mask.document({"error": "second-secret-2"}) == {"error": "second-secret-2"}
    mask.add("second-secret-2")
    assert mask.document({"error": "second-secret-2"}) == {"error": HIDDEN}


def test_concurrent_threads_hide_every_secret_added_before() -> None:
    mask, leaks = Mask(), []

    def work(number: int) -> None:
        for count in range(100):
            secret = f"secret-{number}-{count}-value"
            mask.add(secret)
            if secret in mask.text(f"it is {secret}."):
                leaks.append(secret)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert leaks == []


def test_cost_does_not_grow_with_the_number_of_secrets() -> None:
    """Two thousand secrets: what is looked at per character of a text stays one look into one table."""
    few, many = Mask(), Mask()
    few.add("secret-number-0-x")
    many.add(*(f"{number:04d}-secret-x{number * 7919}" for number in range(2000)))
    text = "PUT https://management.azure.com/subscriptions/0000/resourceGroups/draftgenie-rg 201 Created; " * 20
    assert few.text(text) == many.text(text) == text
    assert max(len(forms) for forms in many._forms.values()) < 2000
