"""The pages of docs/reference, made from the source so that they cannot be wrong."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import click

from tocsin import cli, formats
from tocsin.analysers import ANALYSERS, cards
from tocsin.core.observations import FIELDS
from tocsin.core.reasons import REASONS
from tocsin.core.words import Tlp
from tocsin.reference.feeds import all_feeds

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
WIDTH = 100


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(headings), "|" + "---|" * len(headings), *(line(row) for row in rows)])


def _page(title: str, lead: str, body: str) -> str:
    return f"# {title}\n\n{lead}\n\n{body}\n\nThis page is made by `script/make-docs`.\n"


def _formats() -> str:
    rows = (
        (f"`{each.name}`", each.title, ", ".join(each.extensions) or "any", ", ".join(each.media_types) or "any")
        for each in formats.FORMATS
    )
    lead = (
        "Every format that Tocsin reads, in the order in which equal certainty is decided. The content decides, "
        "not the name; each may come compressed (gz, bz2, xz, zst, zip, tar) and in any usual encoding."
    )
    return _page("Formats", lead, _table(("name", "title", "usual extensions", "media types"), rows))


def _fields() -> str:
    def remark(victim: bool, marking: Tlp) -> str:
        parts = ["points to a victim"] if victim else []
        if marking is not Tlp.CLEAR:
            parts.append(f"{marking.value} at least")
        return "; ".join(parts)

    rows = (
        (
            f"`{field.name}`",
            str(field.dtype),
            "yes" if field.draft else "",
            "yes" if field.export else "",
            field.meaning,
            remark(field.victim, field.least_marking),
        )
        for field in FIELDS
    )
    lead = (
        "The one table of fields of an observation. A column map, a reader or a feed file may fill the fields under "
        "*given*; the others are found by Tocsin. The fields under *exported* are in country packages."
    )
    return _page("Fields of an observation", lead, _table(("field", "type", "given", "exported", "meaning", ""), rows))


def _reasons() -> str:
    lead = "Why a delivery is set aside or a record refused. Pages show the sentence in the reader's language."
    return _page("Reasons", lead, _table(("code", "sentence"), ((f"`{code}`", REASONS[code]) for code in REASONS)))


def _feeds() -> str:
    rows = (
        (
            f"`{feed.slug}`",
            feed.title,
            feed.provider,
            f"`{feed.profile.format}`" if feed.profile.format else "",
            f"every {feed.every_minutes} min",
            feed.licence,
        )
        for feed in all_feeds()
    )
    lead = (
        "Public feeds that Tocsin knows. All are off until an administrator switches them on; read the licence or "
        "terms of each before that. A new feed in a known format is one file in `feeds/`."
    )
    return _page("Feeds", lead, _table(("feed", "title", "provider", "format", "timetable", "licence or terms"), rows))


def _help(command: click.Command, name: str, parent: click.Context | None) -> Iterable[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context).rstrip()}\n```"
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            found = None if command is cli.main and not _is_there(each) else command.get_command(context, each)
            if found is not None:
                yield from _help(found, each, context)


def _is_there(name: str) -> bool:
    return importlib.util.find_spec(cli.COMMANDS[name][0]) is not None


def _commands() -> str:
    lead = "What `tocsin` and its commands say with `--help`. `script/setup` puts it into `.venv/bin`."
    return _page("Command line", lead, "\n\n".join(_help(cli.main, "tocsin", None)))


@cache
def _analysers() -> str:
    lead = (
        "What each analyser answers, and how good it is: measured by `tocsin lab evaluate` on research data that does "
        "not come with Tocsin, never on the data it was fitted on. Why they are as they are: "
        "[decision 68](../decisions/0068-analysers.md)."
    )
    rows = ((f"[{card.title}]({card.name}.md)", card.question, _met(card)) for card in map(cards.card, ANALYSERS))
    return _page("Analysers", lead, _table(("analyser", "question", "figures"), rows))


def _met(card: cards.Card) -> str:
    return "; ".join(
        f"{each.says} {each.measured:g}" + (" (goal met)" if each.goal is not None and _is_goal_met(each) else "")
        for each in card.figures
        if each.measured is not None
    )


def _is_goal_met(figure: cards.Figure) -> bool:
    return figure.measured is not None and figure.holds(figure.measured, figure.goal)


def _card(card: cards.Card) -> str:
    def bound(value: float | None) -> str:
        return "" if value is None else f"{value:g}"

    facts = (
        ("version", card.version),
        ("who decides what", card.decides),
        ("method", card.method),
        ("data", card.data),
        ("licence of the data", card.licence),
        ("split", card.split),
        ("measured on", card.measured_on),
    )
    figures = (
        (
            each.says,
            each.better,
            bound(each.measured),
            bound(each.floor),
            bound(each.goal),
            "" if each.goal is None or each.measured is None else "yes" if _is_goal_met(each) else "**no**",
        )
        for each in card.figures
    )
    body = "\n\n".join(
        [
            _table(("", ""), facts),
            "## Figures",
            _table(("figure", "better", "measured", "floor", "goal", "goal met"), figures),
            "## Where it fails",
            "\n".join(f"- {each}" for each in card.fails),
        ]
    )
    return _page(card.title, card.question, body)


def pages() -> dict[str, str]:
    """Name of the file → its text."""
    return {
        "command-line.md": _commands(),
        "feeds.md": _feeds(),
        "fields.md": _fields(),
        "formats.md": _formats(),
        "reasons.md": _reasons(),
        "../analysers/README.md": _analysers(),
        **{f"../analysers/{name}.md": _card(cards.card(name)) for name in ANALYSERS},
    }


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).parent.mkdir(exist_ok=True)
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
