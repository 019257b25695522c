"""The report of a run as one HTML file: tables and drawings, and a short script to sort and filter.

It loads no other files, and works without its script, by keyboard, on a phone, in dark mode and in print.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from draftgenie_azure import printable
from draftgenie_azure.cli.report import drawings
from draftgenie_azure.constants import REPORT_MARK
from draftgenie_azure.printable import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from draftgenie_azure.cli.report.facts import Facts

_STYLE = """
:root{color-scheme:light dark;--fg:#1f2328;--bg:#fff;--soft:#59636e;--line:#d1d9e0;--done:#1a7f37;--failed:#d1242f;
--skip:#818b98;--crit:#8250df;--link:#0969da;--head:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--fg:#f0f6fc;--bg:#0d1117;--soft:#9198a1;--line:#3d444d;--done:#3fb950;
--failed:#f85149;--skip:#656c76;--crit:#ab7df8;--link:#4493f8;--head:#151b23}}
body{margin:0 auto;max-width:75rem;padding:1rem;font:1rem/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg)}
a{color:var(--link);overflow-wrap:anywhere}h1 .done{color:var(--done)}h1 .failed,.failure{color:var(--failed)}
p.soft,caption{color:var(--soft);text-align:left}.scroll{overflow-x:auto}code{overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:0 0 1rem}.scroll table{min-width:44rem}
th,td{border-bottom:1px solid var(--line);padding:.3rem .6rem;
text-align:left;vertical-align:top}th{background:var(--head)}th button{font:inherit;font-weight:600;color:inherit;
background:none;border:0;padding:0;cursor:pointer}th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}input{font:inherit;padding:.3rem;max-width:100%}
ul{margin:0;padding-left:1.1rem}svg{max-width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--fg)}
.bar{fill:var(--done)}.bar.failed{fill:var(--failed)}.bar.stopped{fill:var(--skip)}.crit{stroke:var(--crit);stroke-width:3}
.grid,.edge{stroke:var(--line);fill:none}.edge.crit{stroke:var(--crit);stroke-width:2}.node{fill:var(--head);stroke:var(--line)}
:focus-visible{outline:2px solid var(--link)}
@media print{input,label{display:none}body{max-width:none}a::after{content:""}tr{break-inside:avoid}}
""".strip().replace("\n", "")

_SCRIPT = """
for(const table of document.querySelectorAll("table.sortable")){
const body=table.tBodies[0];
table.tHead.querySelectorAll("th").forEach((head,column)=>{
const button=document.createElement("button");button.type="button";button.textContent=head.textContent;
head.textContent="";head.append(button);
button.addEventListener("click",()=>{
const down=head.getAttribute("aria-sort")==="ascending";
table.tHead.querySelectorAll("th").forEach(other=>other.removeAttribute("aria-sort"));
head.setAttribute("aria-sort",down?"descending":"ascending");
const key=row=>row.cells[column].dataset.key??row.cells[column].textContent;
[...body.rows].sort((a,b)=>key(a).localeCompare(key(b),undefined,{numeric:true})*(down?-1:1)).forEach(r=>body.append(r));
});});
const field=document.getElementById(table.dataset.filter);
field.parentElement.hidden=false;
field.addEventListener("input",()=>{for(const row of body.rows)
row.hidden=!row.textContent.toLowerCase().includes(field.value.toLowerCase())});
}
""".strip().replace("\n", "")


def page(facts: Facts) -> str:
    """Return the page."""
    document = facts.document()
    result = str(document["result"] or "unknown")
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    kind = {"succeeded": "done", "failed": "failed"}.get(result, "")
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="{REPORT_MARK}"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>DraftGenie deployment: {_text(result)}</title><style>{_STYLE}</style></head><body>"
    )
    title = f'<header><h1>DraftGenie deployment: <span class="{kind}">{_text(result)}</span></h1>'
    plan = f", plan {_code(document['plan_id'])}" if document["plan_id"] else ""
    facts_line = f"{_text(document['time'])}, {duration(document['seconds'] or 0)}, run {_code(document['run'])}{plan}"
    parts = [head, title, f'<p class="soft">{facts_line}</p></header><main>']
    parts += [*_problems(document), *_plan(document), *_services(document), *_timeline(facts), _steps(document)]
    parts += [*_graph(facts), *_resources(document)]
    return "".join([*parts, f"</main><script>{_SCRIPT}</script></body></html>\n"])


def _problems(document: dict[str, Any]) -> Iterable[str]:
    for error in document["errors"]:
        yield f'<section class="failure" aria-label="Failure"><h2>Failure</h2><p>{_text(error["message"])}</p>'
        yield "".join(f"<p>{label}: {_text(error[key])}</p>" for label, key in (
            ("Next", "hint"), ("Code", "code"), ("Request id", "request_id")) if error[key])  # fmt: skip
        yield "</section>"
    if document["messages"]:
        items = [f"{message['level']}: {message['message']}" for message in document["messages"]]
        yield f"<section><h2>Notes</h2>{_list(items)}</section>"


def _plan(document: dict[str, Any]) -> Iterable[str]:
    if document["plan"]:
        region = 'class="scroll" tabindex="0" role="region" aria-label="Plan"'
        yield f"<section><h2>Plan</h2><div {region}><pre>{_text(chr(10).join(document['plan']))}</pre></div></section>"


def _services(document: dict[str, Any]) -> Iterable[str]:
    if document["services"]:
        rows = [
            [_text(one["service"]), _link(one["url"]), _code(one["image"]), _link(one["portal"], "portal")]
            for one in document["services"]
        ]
        table = _table("services", "Services", ("Service", "Address", "Image", "Portal"), rows)
        yield f"<section><h2>Services</h2>{table}</section>"


def _timeline(facts: Facts) -> Iterable[str]:
    steps, path = facts.timed(), facts.critical_path()
    if steps:
        names = " → ".join(path)
        yield f'<section><h2>Timeline</h2><p class="soft">Critical path: {_text(names)}</p>'
        yield '<div class="scroll" tabindex="0" role="region" aria-label="Timeline">'
        yield f"{drawings.timeline(steps, path)}</div></section>"


def _steps(document: dict[str, Any]) -> str:
    rows: list[list[str | tuple[str, str]]] = []
    for step in document["steps"]:
        took = step["ended"] - step["began"] if "ended" in step else None
        why = _list(step["why"]) + (
            f"<p>Wrote {_text(', '.join(step['written']))}</p>" if step["written"] else ""
        )
        waited = _text(step["waited_for"] or "")
        if step["waited_for_place"] >= 1:
            waited += f", then {duration(step['waited_for_place'])} for a free place"
        rows.append([
            f"{step['number']} {_text(step['step'])}", _text(step.get("what", "")),
            ("", "0") if took is None else (duration(took), f"{took:.1f}"), waited,
            "yes" if step["on_critical_path"] else "", why,
        ])  # fmt: skip
    head = ("Step", "Result", "Took", "Waited for", "Critical path", "What changed, and why")
    return f"<section><h2>Steps</h2>{_table('steps', 'Steps', head, rows)}</section>" if rows else ""


def _graph(facts: Facts) -> Iterable[str]:
    if facts.steps:
        drawn = drawings.graph(facts.steps, facts.critical_path())
        region = 'class="scroll" tabindex="0" role="region" aria-label="What needs what"'
        yield f"<section><h2>What needs what</h2><div {region}>{drawn}</div></section>"


def _resources(document: dict[str, Any]) -> Iterable[str]:
    if document["resources"]:
        rows = [[_text(key), _link(link, "portal")] for key, link in sorted(document["resources"].items())]
        table = _table("resources", "Resources", ("Resource", "Portal"), rows)
        yield f"<section><h2>Resources</h2>{table}</section>"


def _table(name: str, title: str, head: Sequence[str], rows: Sequence[Sequence[str | tuple[str, str]]]) -> str:
    """Return a sortable, filterable table; a cell may be a pair of text and sort key."""
    heads = "".join(f'<th scope="col">{text}</th>' for text in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    # Without the script there is nothing to filter by: it shows the label.
    field = f'<p><label hidden>Filter {title.lower()} <input id="filter-{name}" type="search"></label></p>'
    return (
        f'{field}<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table class="sortable" '
        f'data-filter="filter-{name}"><caption>{len(rows)} {title.lower()}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(cell: str | tuple[str, str]) -> str:
    return f"<td>{cell}</td>" if isinstance(cell, str) else f'<td data-key="{cell[1]}">{cell[0]}</td>'


def _list(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in items)}</ul>" if items else ""


def _link(address: str, words: str | None = None) -> str:
    """Return a link for a web URL; text for anything else."""
    if not address.startswith("https://"):
        return _text(address)
    return f'<a href="{_text(address)}" rel="noreferrer">{_text(words or address)}</a>'


def _code(text: object) -> str:
    return f"<code>{_text(text)}</code>" if text else ""


def _text(text: object) -> str:
    """Escape external text."""
    return escape("\n".join(printable.escaped(line) for line in str(text).split("\n")))
