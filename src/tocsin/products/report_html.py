"""The report and its cover as pages that open offline and print well: one file each, no script, no request."""

from __future__ import annotations

from html import escape

from .charts import bar
from .order import Order
from .report import Bars, Report, due
from .words import FOLDER, words


def cover_page(report: Report, order: Order) -> str:
    """One page: what this is, for whom, what it holds, how to check it."""
    say = words(order.language)
    body = [
        _masthead(report),
        f'<p class="lead">{_text(report.addressed)}</p>',
        _facts(report),
        _tiles(report),
        *(f"<p>{_text(line)}</p>" for line in report.bottom_line),
        f"<h2>{_text(report.titles['files'])}</h2>",
        '<table class="files">',
        *(
            f"<tr><th scope=row><bdi dir=ltr>{_text(fact.name)}</bdi></th><td>{_text(fact.text)}</td></tr>"
            for fact in report.files
        ),
        "</table>",
        f"<h2>{_text(report.titles['check'])}</h2>",
        *(f"<p>{_mixed(line)}</p>" for line in say("check_text", name=order.name).split("\n")),
        f"<p>{_text(report.titles['key'])}: <bdi dir=ltr>{_text(order.key_id)}</bdi></p>",
    ]
    return _page(report, report.titles["package"], body)


def report_page(report: Report) -> str:
    """The whole report."""
    titles = report.titles
    body = [
        _masthead(report),
        f'<p class="lead">{_text(report.addressed)}</p>',
        _facts(report),
        f'<section class="brief"><h2>{_text(titles["bottom_line"])}</h2>',
        *(f"<p>{_text(line)}</p>" for line in report.bottom_line),
        "</section>",
        _tiles(report),
        f"<h2>{_text(titles['whats_new'])}</h2>",
        '<div class="tiles three">',
        *(f"<div><b>{_text(fact.text)}</b><span>{_text(fact.name)}</span></div>" for fact in report.changes),
        "</div>",
        _new_values(report),
        f"<h2>{_text(titles['who'])}</h2><p>{_text(titles['who_note'])}</p>",
        f'<div class="pair">{"".join(_bars(each, report.direction) for each in report.bars)}</div>',
        f"<section><h2>{_text(titles['timeline'])}</h2>{report.timeline}",
        f'<p class="small">{_text(report.timeline_note)}</p></section>',
        *_actions(report),
        f"<h2>{_text(titles['answer'])}</h2>",
        _list(report.answer),
        f"<h2>{_text(titles['glossary'])}</h2>",
        _list(report.glossary),
        f'<footer class="small">{"".join(f"<p>{_mixed(note)}</p>" for note in report.notes)}</footer>',
    ]
    return _page(report, titles["title"], body)


def _page(report: Report, title: str, body: list[str]) -> str:
    style = (FOLDER / "report.css").read_text(encoding="utf-8")
    return "".join(
        [
            f'<!doctype html>\n<html lang="{report.language}" dir="{report.direction}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{_text(title)} {_text(report.number)}</title><style>{style}</style></head><body>",
            f'<p class="label"><bdi dir=ltr>{_text(report.tlp)}</bdi></p><main>',
            *body,
            f'</main><p class="label"><bdi dir=ltr>{_text(report.tlp)}</bdi></p></body></html>\n',
        ]
    )


def _masthead(report: Report) -> str:
    return (
        f'<header><p class="issuer"><bdi>{_text(report.organisation)}</bdi></p><h1>{_text(report.titles["title"])}'
        f"<small>{_text(report.country)} <bdi dir=ltr>{_text(report.number)}</bdi></small></h1></header>"
    )


def _facts(report: Report) -> str:
    rows = "".join(f"<div><dt>{_text(fact.name)}</dt><dd>{_mixed(fact.text)}</dd></div>" for fact in report.facts)
    return f'<dl class="facts">{rows}</dl>'


def _tiles(report: Report) -> str:
    return (
        '<div class="tiles">'
        + "".join(f"<div><b>{_text(fact.text)}</b><span>{_text(fact.name)}</span></div>" for fact in report.tiles)
        + "</div>"
    )


def _new_values(report: Report) -> str:
    if not report.new_values:
        return ""
    titles = report.titles
    rows = "".join(
        f'<tr><td><bdi dir=ltr class="value">{_text(value)}</bdi></td><td>{_text(role)}</td>'
        f'<td class="number">{_text(seen)}</td></tr>'
        for value, role, seen in report.new_values
    )
    return (
        f"<h3>{_text(titles['new_values_table'])}</h3><table><thead><tr><th scope=col>{_text(titles['value'])}</th>"
        f'<th scope=col>{_text(titles["role"])}</th><th scope=col class="number">{_text(titles["sightings"])}</th>'
        f"</tr></thead><tbody>{rows}</tbody></table>"
    )


def _bars(bars: Bars, direction: str) -> str:
    rows = []
    for line in bars.lines:
        name = f"<bdi dir=ltr>{_text(line.name)}</bdi>" if line.technical else _text(line.name)
        rows.append(
            f"<tr><th scope=row>{name}</th><td>{bar(line.share, direction=direction)}</td>"
            f'<td class="number">{_text(line.number)}</td></tr>'
        )
    return f'<section><h3>{_text(bars.title)}</h3><table class="bars">{"".join(rows)}</table></section>'


def _actions(report: Report) -> list[str]:
    titles = report.titles
    parts = [f"<h2>{_text(titles['todo'])}</h2>"]
    for action in report.actions:
        facts = (
            (titles["owner"], action.owner),
            (titles["due"], due(action, report.language)),
            (titles["basis"], action.basis),
        )
        parts.append(
            f'<section class="action"><h3>{_text(action.title)}</h3><p>{_text(action.text)}</p><dl>'
            + "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(text)}</dd></div>" for name, text in facts)
            + "</dl></section>"
        )
    parts.append(f'<section class="never"><h2>{_text(titles["never"])}</h2>{_list(report.never)}</section>')
    return parts


def _list(lines: tuple[str, ...]) -> str:
    return "<ul>" + "".join(f"<li>{_mixed(line)}</li>" for line in lines) + "</ul>"


def _text(text: str) -> str:
    return escape(text, quote=True)


def _mixed(text: str) -> str:
    """Text in which technical words keep their own direction."""
    return " ".join(
        f"<bdi dir=ltr>{_text(word)}</bdi>"
        if word.isascii() and any(map(str.isalpha, word)) and any(sign in word for sign in ":-._\\/")
        else _text(word)
        for word in text.split(" ")
    )
