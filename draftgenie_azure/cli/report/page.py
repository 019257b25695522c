"""The report of a run as one HTML file: tables and drawings, and a short script to sort and filter.

It loads no other files, and works without its script, by keyboard, on a phone, in dark mode and in print.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from draftgenie_azure import printable
from draftgenie_azure.cli.report import drawings
from draftgenie_azure.cli.report.facts import by_whom, kind_of
from draftgenie_azure.constants import REPORT_MARK
from draftgenie_azure.printable import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from draftgenie_azure.cli.report.facts import Facts

    Sections = Iterable[tuple[str, str]]  # title and content of each

_STYLE = """
:root{color-scheme:light dark;--fg:#1f2328;--bg:#fff;--soft:#59636e;--line:#d1d9e0;--done:#1a7f37;--failed:#d1242f;
--skip:#818b98;--crit:#8250df;--link:#0969da;--head:#f6f8fa}
@media screen and (prefers-color-scheme:dark){:root{--fg:#f0f6fc;--bg:#0d1117;--soft:#9198a1;--line:#3d444d;
--done:#3fb950;--failed:#f85149;--skip:#656c76;--crit:#ab7df8;--link:#4493f8;--head:#151b23}}
body{margin:0 auto;max-width:75rem;padding:1rem;font:1rem/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg)}
a{color:var(--link);overflow-wrap:anywhere}h1 .done{color:var(--done)}h1 .failed,.failure{color:var(--failed)}
p.soft,caption{color:var(--soft);text-align:left}.scroll{overflow-x:auto}code{overflow-wrap:anywhere;font-size:.8em}
h1{font-size:1.7rem;line-height:1.25;margin:.5rem 0}h2{font-size:1.25rem;margin:1.5rem 0 .5rem}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;list-style:none}

table{border-collapse:collapse;width:100%;margin:0 0 1rem}.scroll table{min-width:44rem}
th,td{border-bottom:1px solid var(--line);padding:.3rem .6rem;
text-align:left;vertical-align:top}th{background:var(--head)}th button{font:inherit;font-weight:600;color:inherit;
background:none;border:0;padding:0;cursor:pointer}th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}input{font:inherit;padding:.3rem;max-width:100%}
ul{margin:0;padding-left:1.1rem}
td[data-key]{white-space:nowrap}svg{max-width:100%;height:auto}.scroll svg{min-width:44rem}
svg text{font:12px system-ui,sans-serif;fill:var(--fg)}
.bar{fill:var(--done)}.bar.failed{fill:var(--failed)}.bar.stopped{fill:var(--skip)}.crit{stroke:var(--crit);stroke-width:3}
.grid,.edge{stroke:var(--line);fill:none}.edge.crit{stroke:var(--crit);stroke-width:2}.node{fill:var(--head);stroke:var(--line)}
:focus-visible{outline:2px solid var(--link)}
@media print{:root{color-scheme:light}nav,input,label,[role=status]{display:none}body{max-width:none;padding:0;
font-size:.8rem}.scroll{overflow:visible}.scroll table,.scroll svg{min-width:0}
tr,svg,h2{break-inside:avoid}h2{break-after:avoid}}
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
const shown=document.getElementById(table.dataset.filter+"-count");
field.parentElement.hidden=false;
field.addEventListener("input",()=>{let count=0;for(const row of body.rows)
count+=!(row.hidden=!row.textContent.toLowerCase().includes(field.value.toLowerCase()));
shown.textContent=field.value?count+" of "+body.rows.length+" shown":""});
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
    when = str(document["time"]).partition(".")[0].replace("T", " ")
    facts_line = f"{_text(when)} UTC, {duration(document['seconds'] or 0)}, run {_code(document['run'])}{plan}"
    sections = [*_problems(document), *_plan(document), *_timeline(facts), *_steps(document), *_services(document)]
    sections += [*_graph(facts), *_history(document), *_resources(document)]
    body = "".join(_section(number, *section) for number, section in enumerate(sections))
    parts = [head, title, f'<p class="soft">{facts_line}</p>{_contents(sections)}</header><main>{body}</main>']
    return "".join([*parts, f"<script>{_SCRIPT}</script></body></html>\n"])


def _section(number: int, title: str, content: str) -> str:
    kind = ' class="failure"' if title == "Failure" else ""
    return f'<section id="s{number}"{kind}><h2>{title}</h2>{content}</section>'


def _contents(sections: Sequence[tuple[str, str]]) -> str:
    """Links to the sections, where there are more than fit a screen."""
    links = "".join(f'<li><a href="#s{number}">{title}</a></li>' for number, (title, _) in enumerate(sections))
    return f'<nav aria-label="On this page"><ul>{links}</ul></nav>' if len(sections) > 2 else ""


def _problems(document: dict[str, Any]) -> Sections:
    for error in document["errors"]:
        facts = "".join(f"<p>{label}: {_text(error[key])}</p>" for label, key in (
            ("Next", "hint"), ("Code", "code"), ("Request id", "request_id")) if error[key])  # fmt: skip
        yield "Failure", f"<p>{_text(error['message'])}</p>{facts}"
    if document["messages"]:
        words = {"note": "", "warning": "Warning: "}
        yield "Notes", _list([words[message["level"]] + message["message"] for message in document["messages"]])


def _plan(document: dict[str, Any]) -> Sections:
    if document["plan"]:
        region = 'class="scroll" tabindex="0" role="region" aria-label="Plan"'
        yield "Plan", f"<div {region}><pre>{_text(chr(10).join(document['plan']))}</pre></div>"


def _services(document: dict[str, Any]) -> Sections:
    if document["services"]:
        rows = [
            [_text(one["service"]), _link(one["url"]), _code(one["image"]), _link(one["portal"], "portal")]
            for one in document["services"]
        ]
        columns = 4 if any(one["portal"] for one in document["services"]) else 3
        head = ("Service", "Address", "Image", "Portal")[:columns]
        yield "Services", _table("services", "Services", head, [row[:columns] for row in rows])


def _timeline(facts: Facts) -> Sections:
    steps, path = facts.timed(), facts.critical_path()
    if steps:
        names = " → ".join(path)
        region = 'class="scroll" tabindex="0" role="region" aria-label="Timeline"'
        drawn = f"<div {region}>{drawings.timeline(steps, path)}</div>"
        yield "Timeline", f'<p class="soft">Critical path (outlined): {_text(names)}</p>{drawn}'


def _steps(document: dict[str, Any]) -> Sections:
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
    if rows:
        yield "Steps", _table("steps", "Steps", head, rows)


def _graph(facts: Facts) -> Sections:
    if facts.steps:
        drawn = drawings.graph(facts.steps, facts.critical_path())
        region = 'class="scroll" tabindex="0" role="region" aria-label="What needs what"'
        yield "What needs what", f"<div {region}>{drawn}</div>"


def _history(document: dict[str, Any]) -> Sections:
    if document["history"]:
        rows: list[list[str | tuple[str, str]]] = [
            [(_link(run.get("ci") or "", f"run {run['run']}") or str(run["run"]), str(run["run"])),
             _text(kind_of(run)), _text(run["result"]), _text(run.get("started_at", "")),
             (duration(run.get("seconds", 0)), str(run.get("seconds", 0))), _text(by_whom(run)),
             _text(", ".join(run["ran"]))]
            for run in document["history"]
        ]  # fmt: skip
        head = ("Run", "Kind", "Result", "Began", "Took", "By", "Steps that ran")
        yield "History", _table("runs", "Runs", head, rows)


def _resources(document: dict[str, Any]) -> Sections:
    if document["resources"]:
        rows = [[_text(key), _link(link, "portal")] for key, link in sorted(document["resources"].items())]
        yield "Resources", _table("resources", "Resources", ("Resource", "Portal"), rows)


def _table(name: str, title: str, head: Sequence[str], rows: Sequence[Sequence[str | tuple[str, str]]]) -> str:
    """Return a sortable, filterable table; a cell may be a pair of text and sort key."""
    heads = "".join(f'<th scope="col">{text}</th>' for text in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    # Without the script filtering is unavailable: it shows the label.
    field = (
        f'<p><label hidden>Filter {title.lower()} <input id="filter-{name}" type="search"></label> '
        f'<span id="filter-{name}-count" role="status"></span></p>'
    )
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
    return f"<code>{_text(text).replace('@', '<wbr>@')}</code>" if text else ""


def _text(text: object) -> str:
    """Escape external text."""
    return escape("\n".join(printable.escaped(line) for line in str(text).split("\n")))
