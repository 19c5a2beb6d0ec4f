"""What subscribers are told of a version of an alert: by mail, to their server, to their browser. Pure.

It holds what the public edition says, and less: whoever wants all of it opens the page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from html import escape
from typing import Any

import msgspec
import orjson

from tocsin.core.words import Offence

from . import addresses
from .record import AlertType, Message, Severity
from .words import Words, words

SEVERITIES = (Severity.MINOR, Severity.MODERATE, Severity.SEVERE, Severity.EXTREME)
"""From the least on; an unknown one is told to everybody."""
LONGEST_LEAD = 600
LONGEST_PUSHED = 240
SCHEMA = "tocsin.alert.v1"


class Said(msgspec.Struct, frozen=True):
    """In one language."""

    title: str
    lead: str = ""
    do_now: tuple[str, ...] = ()
    reason: str = ""
    """Why it was cancelled, or what an update changes."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A version, as it is told."""

    number: str
    version: int
    message: Message
    type: AlertType
    offence: Offence
    severity: Severity
    sent: datetime
    countries: tuple[str, ...] = ()
    texts: dict[str, Said] = {}
    """Language → what is said in it."""
    earlier: tuple[int, ...] | None = None
    """The versions that the public had before, oldest first: numbers of those that it never had are left out. None:
    nothing is known of it, all before it."""

    def said(self, language: str) -> tuple[str, Said]:
        """In this language, else in English, else in the first one; with the language that it is."""
        for each in (language, language.split("-")[0], "en"):
            if each in self.texts:
                return each, self.texts[each]
        return next(iter(self.texts.items()))

    @property
    def is_cancelled(self) -> bool:
        return self.message is Message.CANCEL

    @property
    def told_before(self) -> tuple[int, ...]:
        return tuple(range(1, self.version)) if self.earlier is None else self.earlier


def to_json(notice: Notice) -> dict[str, Any]:
    made = msgspec.to_builtins(notice)
    assert isinstance(made, dict)
    return made


def notice_of(said: Mapping[str, Any]) -> Notice:
    return msgspec.convert(dict(said), Notice)


def shortened(text: str, most: int) -> str:
    """The first paragraph, cut between words."""
    first = text.strip().split("\n\n")[0].strip()
    if len(first) <= most:
        return first
    return first[: first.rfind(" ", 0, most) if " " in first[:most] else most].rstrip(" ,;:،") + "…"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a subscriber wants to be told; nothing chosen: everything."""

    countries: Collection[str] = ()
    offences: Collection[str] = ()
    types: Collection[str] = ()
    severity: str = ""
    """The least."""

    def wants(self, notice: Notice) -> bool:
        """Whether it is told. An alert without countries concerns all of them."""
        if self.countries and notice.countries and not set(self.countries) & set(notice.countries):
            return False
        if self.offences and notice.offence.value not in self.offences:
            return False
        if self.types and notice.type.value not in self.types:
            return False
        least = next((place for place, each in enumerate(SEVERITIES) if each.value == self.severity), 0)
        return notice.severity not in SEVERITIES or SEVERITIES.index(notice.severity) >= least


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who writes, and where the reader's own pages lie."""

    site: str
    """The root of the public site, without a slash at its end."""
    name: str
    sender: str
    settings: str = ""
    leave: str = ""


def page_of(notice: Notice, language: str, site: str) -> str:
    return f"{site}/{addresses.page(notice.number, language)}"


def letter(notice: Notice, language: str, head: Letterhead, *, to: str, reader: str) -> EmailMessage:
    """The mail to one subscriber; `reader` tells its messages from others' in their identifiers."""
    spoken, said = notice.said(language)
    say = words(language)
    link = page_of(notice, spoken, head.site)
    mark = say("cancelled") if notice.is_cancelled else say("updated") if notice.message is Message.UPDATE else ""
    subject = f"{f'[{mark}] ' if mark else ''}{said.title} ({notice.number})"
    made = framed(subject, head, to=to)
    made["Message-ID"] = _identifier(notice.number, notice.version, reader, head.sender)
    if before := [_identifier(notice.number, each, reader, head.sender) for each in notice.told_before]:
        made["In-Reply-To"], made["References"] = before[-1], " ".join(before[-20:])
    if head.leave:
        made["List-Unsubscribe"] = f"<{head.leave}>"
        made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    facts = [say(f"type.{notice.type}")]
    if notice.severity is not Severity.UNKNOWN:
        facts.append(f"{say('severity')}: {say(f'severity.{notice.severity}')}")
    facts.append(", ".join(say.country(each) for each in notice.countries[:8]) or say("worldwide"))
    other = say("mail.other_language") if spoken.split("-")[0] != language.split("-")[0] else ""
    feet = [say("mail.why", name=head.name), f"{say('mail.settings')}: {head.settings}",
            f"{say('mail.leave')}: {head.leave}"] if head.settings else []  # fmt: skip
    made.set_content(_plain(notice, said, say, " · ".join(facts), link, other, feet), cte="base64")
    html = _html(notice, said, spoken, say, " · ".join(facts), link, other, head)
    made.add_alternative(html, subtype="html", cte="base64")
    made["Content-Language"] = spoken
    return made


def framed(subject: str, head: Letterhead, *, to: str) -> EmailMessage:
    """A mail without its body. No text can begin another header."""
    made = EmailMessage()
    made["Subject"] = " ".join(subject.split())
    made["From"] = Address(display_name=" ".join(head.name.split()), addr_spec=head.sender)
    made["To"] = Address(addr_spec=to)
    made["Auto-Submitted"] = "auto-generated"
    made["Precedence"] = "list"
    made["List-Id"] = f"<alerts.{head.sender.rpartition('@')[2]}>"
    return made


def _identifier(number: str, version: int, reader: str, sender: str) -> str:
    return f"<{number}.v{version}.{reader}@{sender.rpartition('@')[2]}>"


def _plain(
    notice: Notice, said: Said, say: Words, facts: str, link: str, other: str, feet: list[str]
) -> str:  # fmt: skip
    parts = [said.title, facts]
    if notice.is_cancelled:
        parts.append(f"{say('mail.cancelled')}\n{said.reason}".strip())
    else:
        parts += [other] if other else []
        parts += [f"{say('updated')}: {said.reason}"] if said.reason else []
        parts += [said.lead] if said.lead else []
        if said.do_now:
            steps = "\n".join(f"{place}. {each}" for place, each in enumerate(said.do_now, 1))
            parts.append(f"{say('do_now')}\n{steps}")
    parts.append(f"{say('mail.read_all')}: {link}")
    return "\n\n".join(parts) + ("\n\n-- \n" + "\n".join([*feet, say("mail.never")]) if feet else "") + "\n"


def _html(
    notice: Notice, said: Said, spoken: str, say: Words, facts: str, link: str, other: str, head: Letterhead
) -> str:  # fmt: skip
    """Without pictures, scripts and anything that is fetched: nobody learns from it that it was opened."""
    direction = words(spoken).direction
    parts = [f'<p style="{_SOFT}">{escape(facts)}</p>', f'<h1 style="{_TITLE}">{escape(said.title)}</h1>']
    if notice.is_cancelled:
        parts.append(f'<p style="{_TEXT}"><strong>{escape(say("mail.cancelled"))}</strong> {escape(said.reason)}</p>')
    else:
        parts += [f'<p style="{_SOFT}">{escape(other)}</p>'] if other else []
        parts += [f'<p style="{_TEXT}">{escape(said.reason)}</p>'] if said.reason else []
        parts += [f'<p style="{_TEXT}">{escape(said.lead)}</p>'] if said.lead else []
        if said.do_now:
            steps = "".join(f"<li>{escape(each)}</li>" for each in said.do_now)
            parts.append(f'<h2 style="{_HEAD}">{escape(say("do_now"))}</h2><ol style="{_TEXT}">{steps}</ol>')
    parts.append(
        f'<p style="{_TEXT}"><a style="{_BUTTON}" href="{escape(link)}">{escape(say("mail.read_all"))}</a></p>'
    )
    if head.settings:
        parts.append(
            f'<p style="{_FOOT}">{escape(say("mail.why", name=head.name))}<br>'
            f'<a href="{escape(head.settings)}">{escape(say("mail.settings"))}</a> · '
            f'<a href="{escape(head.leave)}">{escape(say("mail.leave"))}</a><br>{escape(say("mail.never"))}</p>'
        )
    return (
        f'<!doctype html><html lang="{escape(spoken)}" dir="{direction}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(said.title)}</title></head>'
        f'<body style="{_BODY}"><div style="{_PAGE}" dir="{direction}">{"".join(parts)}</div></body></html>'
    )


_BODY = "margin:0;padding:24px 12px;background:#f3f5f7"
_PAGE = (
    "max-width:600px;margin:0 auto;padding:24px;background:#ffffff;border:1px solid #d9dfe5;border-radius:8px;"
    "font-family:system-ui,-apple-system,'Segoe UI',Tahoma,sans-serif;color:#14202b;font-size:16px;line-height:1.6"
)
_SOFT = "margin:0 0 8px;color:#4a5a68;font-size:14px"
_TITLE = "margin:0 0 16px;font-size:22px;line-height:1.35"
_HEAD = "margin:24px 0 8px;font-size:17px"
_TEXT = "margin:0 0 16px"
_BUTTON = (
    "display:inline-block;padding:12px 20px;background:#0b4f6c;color:#ffffff;text-decoration:none;border-radius:6px"
)
_FOOT = "margin:32px 0 0;padding-top:16px;border-top:1px solid #d9dfe5;color:#4a5a68;font-size:13px"


def note(
    name: str, language: str, head: Letterhead, *, to: str, link: str, is_right_away: bool = True, **values: object
) -> EmailMessage:  # fmt: skip
    """A mail about the subscription itself: `name` is that of its texts, `link` what it asks to open."""
    say = words(language)
    made = framed(say(f"{name}.subject", name=head.name, **values), head, to=to)
    text = say(f"{name}.text", name=head.name, **values)
    end = say("mail.not_you") if is_right_away else say("mail.never")
    made.set_content(f"{text}\n\n{link}\n\n{end}\n", cte="base64")
    html = (
        f'<!doctype html><html lang="{escape(language)}" dir="{say.direction}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(made["Subject"])}</title></head>'
        f'<body style="{_BODY}"><div style="{_PAGE}" dir="{say.direction}"><p style="{_TEXT}">{escape(text)}</p>'
        f'<p style="{_TEXT}"><a style="{_BUTTON}" href="{escape(link)}">{escape(say(f"{name}.button"))}</a></p>'
        f'<p style="{_FOOT}">{escape(end)}</p></div></body></html>'
    )
    made.add_alternative(html, subtype="html", cte="base64")
    made["Content-Language"] = language
    return made


def call(notice: Notice, site: str) -> bytes:
    """What a subscriber's server gets: the facts, and where all of it lies. All languages at once."""
    kind = {Message.ALERT: "alert.published", Message.UPDATE: "alert.updated", Message.CANCEL: "alert.cancelled"}
    said = {
        "type": kind[notice.message], "timestamp": notice.sent.astimezone(UTC), "schema": SCHEMA,
        "data": {
            "number": notice.number, "version": notice.version, "type": notice.type.value,
            "offence": notice.offence.value, "severity": notice.severity.value, "countries": list(notice.countries),
            "cap": f"{site}/{addresses.cap(notice.number)}", "stix": f"{site}/{addresses.stix(notice.number)}",
            "texts": {
                language: {"title": each.title, "lead": each.lead, "reason": each.reason,
                           "page": page_of(notice, language, site)}
                for language, each in notice.texts.items()
            },
        },
    }  # fmt: skip
    return orjson.dumps(said, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)


def pushed(notice: Notice, language: str, site: str) -> bytes:
    """What a browser shows: short enough for every push service."""
    spoken, said = notice.said(language)
    say = words(spoken)
    body = say("mail.cancelled") if notice.is_cancelled else shortened(said.lead, LONGEST_PUSHED)
    return orjson.dumps({
        "title": said.title, "body": body, "url": page_of(notice, spoken, site), "tag": notice.number,
        "lang": spoken, "dir": say.direction,
    })  # fmt: skip
