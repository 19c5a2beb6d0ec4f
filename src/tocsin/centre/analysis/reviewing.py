"""Reads for the review queue: proposals with their report, country conflicts with their claims."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from tocsin.centre.intake.models import Delivery
from tocsin.centre.intake.selectors import in_seen, in_turn, visible_batches
from tocsin.centre.knowledge.models import Document
from tocsin.centre.pages import Page, Part, page_of
from tocsin.handling import Viewer
from tocsin.products.text_safety import DECEIVING, visible
from tocsin.reference import warnings

from .models import CountryConflict, Proposal

PROPOSALS_SHOWN = 50
CONFLICTS_SHOWN = 30
TEXT_CHARACTERS = 200_000
DECIDED_LAST = (Part(("-decided_at", "-pk"), Q(decided_at__isnull=False)),)
IN_ORDER = (Part(("page", "offset", "pk")),)
MOST_ROWS = (Part(("-rows", "pk")),)
_DECEIVING_IN_LINES = re.compile(rf"(?![\n\r\t]){DECEIVING}")
CLAIM_NAMES = ("stated", "registry", "geo", "tld")


def open_proposals(viewer: Viewer) -> QuerySet[Proposal]:
    """Proposals that wait, from what the reviewer may see."""
    return Proposal.objects.filter(in_seen(visible_batches(viewer)), state=Proposal.State.OPEN)


def open_conflicts(viewer: Viewer) -> QuerySet[CountryConflict]:
    """Conflicts that wait, those with most rows first."""
    found = CountryConflict.objects.filter(in_seen(visible_batches(viewer)), state=CountryConflict.State.OPEN)
    return found.select_related("batch__organisation").order_by(*MOST_ROWS[0].by)


def decided_conflicts(viewer: Viewer) -> QuerySet[CountryConflict]:
    """Conflicts that somebody decided, the last first."""
    seen = in_turn(visible_batches(viewer).filter(pk=OuterRef("batch")), viewer)
    found = CountryConflict.objects.filter(seen, state=CountryConflict.State.DECIDED)
    return found.select_related("batch__organisation", "decided_by").order_by(*DECIDED_LAST[0].by)


def rows_waiting(viewer: Viewer) -> int:
    """Rows of which the reviewer may say whose they are."""
    return open_conflicts(viewer).aggregate(total=Sum("rows"))["total"] or 0


def reports_with_proposals(viewer: Viewer) -> QuerySet[Delivery]:
    """Reports with something to decide, the newest first."""
    waiting = open_proposals(viewer).order_by()
    counted = waiting.filter(delivery=OuterRef("pk")).values("delivery").annotate(count=Count("pk")).values("count")
    found = Delivery.objects.filter(pk__in=waiting.values("delivery")).annotate(open_count=Subquery(counted))
    return found.select_related("organisation").order_by("-received_at", "-pk")


@dataclass(frozen=True, slots=True)
class Marked:
    """A proposal with what speaks against it."""

    proposal: Proposal
    lists: tuple[warnings.Explanation, ...]
    is_in_text: bool


def proposals_of(report: Delivery, viewer: Viewer) -> QuerySet[Proposal]:
    """The open proposals of a report in the order in which they stand in it."""
    return open_proposals(viewer).filter(delivery=report).order_by(*IN_ORDER[0].by)


def proposals_page(report: Delivery, viewer: Viewer, after: str) -> Page[Proposal]:
    """Those after the cursor; an unreadable cursor starts anew. What is decided meanwhile moves no page."""
    return page_of(proposals_of(report, viewer), IN_ORDER, after, PROPOSALS_SHOWN)


def conflicts_page(viewer: Viewer, after: str) -> Page[CountryConflict]:
    """Conflicts after the cursor, those with most rows first."""
    return page_of(open_conflicts(viewer), MOST_ROWS, after, CONFLICTS_SHOWN)


def marked(proposals: list[Proposal], text: str) -> list[Marked]:
    """Each with the warning lists that hold it, and whether its words stand in the text that is shown."""
    return [
        Marked(each, tuple(warnings.explain(each.kind, each.value)), bool(each.shown_as) and each.shown_as in text)
        for each in proposals
    ]


def text_of(report: Delivery, viewer: Viewer) -> str:
    """The plain text of a report, as far as the reviewer may see it and a page can hold it."""
    texts = Document.objects.filter(in_seen(visible_batches(viewer)), delivery=report).order_by("pk")
    whole = "\n\n".join(texts.values_list("text", flat=True))
    return visible_lines(re.sub(r"\n{3,}", "\n\n", whole.replace("\r\n", "\n"))[:TEXT_CHARACTERS])


def visible_lines(text: str) -> str:
    """The words of others on a page: what turns or hides text is written out, lines and tabs stay."""
    return _DECEIVING_IN_LINES.sub(lambda found: visible(found[0]), text)


def highlighted(text: str, proposals: list[Proposal]) -> SafeString:
    """The text with every proposed value marked; the first mark of each can be jumped to."""
    by_words: dict[str, Proposal] = {}
    for each in proposals:
        if each.shown_as:
            by_words.setdefault(each.shown_as, each)
    if not by_words:
        return escape(text)
    # Longer words first: a web address must not be cut by the domain in it.
    either = re.compile("|".join(re.escape(words) for words in sorted(by_words, key=len, reverse=True)))
    parts: list[SafeString] = []
    jumped: set[int] = set()
    at = 0
    for match in either.finditer(text):
        parts.append(escape(text[at : match.start()]))
        key = by_words[match.group()].pk
        anchor = "" if key in jumped else format_html(' id="found-{}"', key)
        jumped.add(key)
        parts.append(format_html('<mark{}><bdi dir="ltr">{}</bdi></mark>', anchor, match.group()))
        at = match.end()
    parts.append(escape(text[at:]))
    return mark_safe("".join(parts))  # noqa: S308 - every part was escaped above.


@dataclass(frozen=True, slots=True)
class Claims:
    """A conflict as a reviewer reads it: each country with those who claim it."""

    conflict: CountryConflict
    by_country: dict[str, list[str]]
    example: str


def claims_of(conflict: CountryConflict) -> Claims:
    """Countries in the order in which they are claimed."""
    by_country: dict[str, list[str]] = {}
    for name in CLAIM_NAMES:
        if code := conflict.claims.get(name):
            by_country.setdefault(code, []).append(name)
    return Claims(conflict, by_country, str(conflict.claims.get("example", "")))
