"""Texts for social networks in several lengths, and one for an e-mail, in the words of the alert itself.

They are made of whole parts: a step is there or it is not, and no sentence ends in the middle.
"""

from __future__ import annotations

from . import addresses
from .document import countries_in_words, in_language
from .printable import readable, readable_paragraphs, shortened
from .record import Message, PublicEdition, Text
from .signs import defanged, kind_name
from .words import Words, words

LENGTHS = (280, 500, 1500)
"""Signs that networks allow in one post, or show before a reader has to ask for more."""


def post(edition: PublicEdition, language: str, most: int) -> str:
    """The title, as much else as there is room for, and the address at the end: at most so many signs."""
    say, text = words(language), edition.text(language)
    end = f"\n\n{edition.issuer.origin}/{addresses.permanent(edition.number)}"
    room = max(40, most - len(end))
    title = shortened(_one_line(_headed(edition, text, say)), room)
    if edition.is_cancelled:
        return (
            _with_what_fits(title, [say("print.no_longer"), *readable_paragraphs(_reason(edition, language))], room)
            + end
        )
    happening = readable_paragraphs(text.happening)[: 1 if most < LENGTHS[-1] else None]
    steps = [f"{number}. {each}" for number, each in enumerate(_items(text.do_now), 1)]
    shown = _with_what_fits(title, happening, room)
    if steps and len(shown) + len(say("do_now")) + len(steps[0]) + 4 <= room:
        shown = _with_what_fits(f"{shown}\n\n{say('do_now')}", steps, room, "\n")
    victim = readable_paragraphs(text.if_victim)
    if victim and len(shown) + len(say("if_victim")) + len(victim[0]) + 4 <= room:
        shown = _with_what_fits(f"{shown}\n\n{say('if_victim')}", victim, room, "\n")
    return shown + end


def mail(edition: PublicEdition, language: str) -> str:
    """A subject and the whole alert as plain text."""
    say, text = words(language), edition.text(language)
    parts = [say("kit.subject", title=_one_line(_headed(edition, text, say)))]
    if edition.is_exercise:
        parts.append(say("print.exercise_note"))
    parts.append(f"{say(f'type.{edition.type.value}')}, {countries_in_words(edition.countries, say)}")
    parts += readable_paragraphs(_reason(edition, language))
    if edition.is_cancelled:
        parts.append(say("print.no_longer"))
    for name, said in (("happening", text.happening), ("at_risk", text.at_risk)):
        parts += _section(say(name), readable_paragraphs(said))
    parts += _section(say("recognise"), ["\n".join(f"- {each}" for each in _items(text.recognise))])
    numbered = (f"{number}. {each}" for number, each in enumerate(_items(text.do_now), 1))
    parts += _section(say("do_now"), ["\n".join(numbered)])
    parts += _section(say("if_victim"), readable_paragraphs(text.if_victim))
    signs = "\n".join(f"- {kind_name(each.kind, say)}: {defanged(each.value, each.kind)}" for each in edition.signs)
    parts += _section(say("signs"), [signs])
    parts.append(f"{say('expires')}: {say.moment(edition.expires)}")
    parts.append(f"{edition.issuer.name(language)}\n{edition.issuer.origin}/{addresses.permanent(edition.number)}")
    return "\n\n".join(parts) + "\n"


def _headed(edition: PublicEdition, text: Text, say: Words) -> str:
    if edition.is_exercise:
        return f"{say('print.exercise')}: {text.title}"
    if edition.is_cancelled:
        return f"{say('cancelled')}: {text.title}"
    return text.title


def _reason(edition: PublicEdition, language: str) -> str:
    return in_language(edition.reasons, language) if edition.message is not Message.ALERT else ""


def _one_line(text: str) -> str:
    return " ".join(readable(text).split())


def _items(texts: tuple[str, ...]) -> list[str]:
    return [said for each in texts if (said := _one_line(each))]


def _section(heading: str, parts: list[str]) -> list[str]:
    said = [each for each in parts if each]
    return [f"{heading}\n{said[0]}", *said[1:]] if said else []


def _with_what_fits(text: str, parts: list[str], room: int, between: str = "\n\n") -> str:
    for each in parts:
        if len(text) + len(between) + len(each) > room:
            break
        text = f"{text}{between}{each}"
    return text
