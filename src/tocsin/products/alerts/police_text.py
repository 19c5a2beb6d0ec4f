"""The police edition of an alert as plain text, for slow lines and for readers of mail. Says what the document says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..text_safety import visible
from .police_document import PoliceDocument, told_of
from .words import Words, words


def police_text(document: PoliceDocument) -> str:
    """All of it in one text; the same values give the same text. Values of the perpetrators are defanged."""
    told = told_of(document)
    return "\n\n".join(filter(None, map(visible_lines, _blocks(told, document)))) + "\n"


def visible_lines(block: str) -> str:
    """No line holds what cannot be seen or turns the others round."""
    return "\n".join(visible(each.replace("\u200b", "")).rstrip() for each in block.split("\n")).strip("\n")


def _blocks(told: dict[str, Any], document: PoliceDocument) -> Iterator[str]:
    named, say = told["words"], words(document.language)
    yield f"{told['tlp']}  {told['marks']}"
    yield from (f"{named['restriction']}: {each}" for each in told["restrictions"])
    yield told["across"]
    yield told["exercise_note"]
    yield "\n".join([f"{told['type']} · {told['number']}", told["title"]])
    yield "\n".join(filter(None, [told["cancelled_on"], *map(_said, told["reason"])]))
    yield "\n".join(say("fact", name=each["name"], value=each["text"]) for each in told["facts_above"])
    for name, heading in (("bottom_line", "bottom_line"), ("happened", "happened")):
        yield _section(named[heading], [_said(each) for each in told[name]])
    own = [
        *(_said(each) for each in told["affected_text"]),
        *(say("fact", name=each["name"], value=each["count"]) for each in told["affected"]),
    ]
    yield _section(named["affected"], own or [named["affected_none"]])
    yield _section(named["facts"], [_said(each) for each in told["facts"]])
    yield _section(named["assessment"], [_said(each) for each in told["assessment"]])
    yield "\n".join(
        say("fact", name=told[f"{name}_name"], value=told[name]) for name in ("likelihood", "confidence") if told[name]
    )
    yield _section(
        named["indicators"], [_indicator(each, named, say) for each in told["indicators"]] + [told["indicators_more"]]
    )
    yield _section(named["techniques"], [f"{each['id']} {each['name']}" for each in told["techniques"]])
    yield _section(named["persons"], [
        "\n".join(filter(None, [f"{each['name']} ({each['status']})", each["facts"]])) for each in told["persons"]
    ])  # fmt: skip
    yield _section(named["actions"], [_action(each, named, say) for each in told["actions"]])
    yield _section(named["never"], [f"- {each}" for each in told["never"]])
    yield _section(named["questions"], [f"- {each}" for each in told["questions"]])
    yield _section(named["annexes"], [say("fact", name=each["name"], value=each["text"]) for each in told["annexes"]])
    until = say("fact", name=named["answer_by"], value=told["answer_by"]) if told["answer_by"] else ""
    yield _section(named["contact"], [told["contact"], until, told["answer_at"]])
    yield named["not_evidence"]


def _section(heading: str, lines: list[str]) -> str:
    shown = [each for each in lines if each]
    return "\n".join([heading, *shown]) if shown else ""


def _said(paragraph: Any) -> str:
    return paragraph if isinstance(paragraph, str) else "\n".join(map(str, paragraph))


def _indicator(each: dict[str, str], named: dict[str, str], say: Words) -> str:
    """The value on a line of its own: so it reads from left to right among Arabic, too."""
    known = [say("fact", name=named[name], value=each[name]) for name in ("grade", "valid_until") if each[name]]
    facts = [each["kind"], each["role"], *known, each["note"]]
    return "\n".join([each["value"], f"  {' · '.join(filter(None, facts))}"])


def _action(each: dict[str, str], named: dict[str, str], say: Words) -> str:
    facts = [say("fact", name=named[name], value=each[name]) for name in ("owner", "due", "basis") if each[name]]
    return "\n".join(filter(None, [f"- {each['text']}", f"  {' · '.join(facts)}" if facts else ""]))
