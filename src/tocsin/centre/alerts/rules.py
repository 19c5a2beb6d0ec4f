"""The life of an alert (SM-3, DOMAIN 4.3). Pure: facts in, the next state or the reason why not out.

Which stage a version waits in follows from what was passed and of which content: a review passes digests, and what
changed since was not passed. So any change of the text returns to quality, any change of a label or a person to legal,
without a rule for each of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from tocsin.core.words import Offence
from tocsin.products.alerts.draft import Draft
from tocsin.products.alerts.record import LANGUAGES, AlertType


class State(StrEnum):
    """Where a version is."""

    DRAFT = "draft"
    QUALITY = "quality-review"
    LEGAL = "legal-review"
    TRANSLATION = "translation"
    APPROVAL = "approval"
    SENDING = "sending"
    """Approved; its police edition is being read, and opens in a moment."""
    POLICE = "published-police"
    PUBLIC = "published-public"
    REPLACED = "updated"
    """A later version stands in its place."""
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DROPPED = "dropped"
    """Given up before it was published."""


IN_REVIEW = frozenset({State.QUALITY, State.LEGAL, State.TRANSLATION, State.APPROVAL})
WRITABLE = frozenset({State.DRAFT}) | IN_REVIEW
STANDING = frozenset({State.SENDING, State.POLICE, State.PUBLIC})
"""What recipients have."""
OVER = frozenset({State.REPLACED, State.CANCELLED, State.EXPIRED, State.DROPPED})


class Act(StrEnum):
    """What somebody does with a version."""

    WRITE = "write"
    SUBMIT = "submit"
    QUALITY_PASSED = "pass-quality"
    LEGAL_PASSED = "pass-legal"
    RETURN = "return"
    TRANSLATE = "translate"
    CHECK = "check-translation"
    APPROVE = "approve"
    PUBLISH = "publish-public"
    UPDATE = "update"
    CANCEL = "cancel"
    CONFIRM_CANCEL = "confirm-cancel"
    KEEP = "keep"
    """Do not cancel it after all."""
    DROP = "drop"


ABILITY: Mapping[Act, str] = {
    Act.WRITE: "write-alerts", Act.SUBMIT: "write-alerts", Act.UPDATE: "write-alerts", Act.DROP: "write-alerts",
    Act.QUALITY_PASSED: "review-alerts", Act.LEGAL_PASSED: "clear-alerts", Act.RETURN: "",
    Act.TRANSLATE: "translate-alerts", Act.CHECK: "translate-alerts",
    Act.APPROVE: "release-alerts", Act.PUBLISH: "release-alerts",
    Act.CANCEL: "write-alerts", Act.CONFIRM_CANCEL: "release-alerts", Act.KEEP: "write-alerts",
}  # fmt: skip
"""Act → what its doer must be able to do; RETURN: whatever the stage asks."""
IN_STATES: Mapping[Act, frozenset[State]] = {
    Act.WRITE: WRITABLE, Act.SUBMIT: frozenset({State.DRAFT}), Act.QUALITY_PASSED: frozenset({State.QUALITY}),
    Act.LEGAL_PASSED: frozenset({State.LEGAL}), Act.RETURN: IN_REVIEW,
    Act.TRANSLATE: WRITABLE, Act.CHECK: WRITABLE,
    Act.APPROVE: frozenset({State.APPROVAL}), Act.PUBLISH: frozenset({State.POLICE}),
    Act.UPDATE: frozenset({State.POLICE, State.PUBLIC}), Act.CANCEL: frozenset({State.POLICE, State.PUBLIC}),
    Act.CONFIRM_CANCEL: frozenset({State.POLICE, State.PUBLIC}), Act.DROP: WRITABLE,
    Act.KEEP: frozenset({State.POLICE, State.PUBLIC}),
}  # fmt: skip
STAGE_ABILITY: Mapping[State, str] = {
    State.QUALITY: "review-alerts", State.LEGAL: "clear-alerts", State.TRANSLATION: "translate-alerts",
    State.APPROVAL: "release-alerts",
}  # fmt: skip
LANGUAGES_WITHIN = timedelta(hours=24)
"""An alert of something imminent goes out in one language; the others follow within this time."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What a review passed, and who."""

    text: str = ""
    label: str = ""
    by: int = 0


@dataclass(frozen=True, slots=True)
class Translated:
    """A translation, as far as the rules ask."""

    source: str
    """Of which words it is one: `Draft.source_digest`."""
    by: int = 0
    checked_by: int = 0

    def is_ready(self, source: str) -> bool:
        return self.source == source and bool(self.checked_by)


@dataclass(frozen=True, slots=True)
class Facts:
    """A version, as the rules see it."""

    state: State
    draft: Draft
    authors: frozenset[int]
    """Everybody who wrote something of it."""
    quality: Passed = Passed()
    legal: Passed = Passed()
    translations: Mapping[str, Translated] = field(default_factory=dict)
    """By language."""
    is_cancelling: bool = False
    cancel_asked_by: int = 0
    has_police_edition: bool = True
    languages: tuple[str, ...] = LANGUAGES
    """Those that every alert comes in, here."""


def stage_of(facts: Facts) -> State:
    """The first stage that has not passed what is written now."""
    draft = facts.draft
    if facts.quality.text != draft.text_digest:
        return State.QUALITY
    if (facts.legal.text, facts.legal.label) != (draft.text_digest, draft.label_digest):
        return State.LEGAL
    if missing_languages(facts) and draft.type is not AlertType.IMMINENT:
        return State.TRANSLATION
    return State.APPROVAL


def missing_languages(facts: Facts) -> tuple[str, ...]:
    """Those in which it does not stand yet as it is written now, each translation checked by a second person."""
    source = facts.draft.source_digest
    return tuple(
        each for each in facts.languages
        if each != facts.draft.language
        and not (each in facts.translations and facts.translations[each].is_ready(source))
    )  # fmt: skip


def after_change(facts: Facts) -> State:
    """Where a version goes that was written on or passed: a draft stays one until it is handed in."""
    return facts.state if facts.state not in IN_REVIEW else stage_of(facts)


def refusal_of(act: Act, facts: Facts, person: int, abilities: Collection[str]) -> str:
    """Why this person may not do this now, as a word; empty where it may be done.

    Author, quality reviewer, legal officer and releaser are four people: whoever was one of them for this version is
    none of the others. Who translated does not check that translation.
    """
    if facts.state not in IN_STATES[act]:
        return "alert-state"
    needed = ABILITY[act] or STAGE_ABILITY[facts.state]
    if needed not in abilities:
        return "alert-role"
    parts = {"author": facts.authors, "quality": {facts.quality.by}, "legal": {facts.legal.by}}
    own = {Act.QUALITY_PASSED: "quality", Act.LEGAL_PASSED: "legal", Act.WRITE: "author"}.get(act, "")
    if act in {Act.QUALITY_PASSED, Act.LEGAL_PASSED, Act.APPROVE, Act.PUBLISH} and any(
        person in people for name, people in parts.items() if name != own
    ):
        return "alert-same-person"
    if act is Act.WRITE and person in {facts.quality.by, facts.legal.by} - {0}:
        return "alert-same-person"
    # What a second person is about to confirm is not changed under his hands.
    if bool(facts.cancel_asked_by) is (act is Act.CANCEL) and act in {Act.CANCEL, Act.KEEP}:
        return "alert-state"
    if act is Act.CONFIRM_CANCEL:
        if not facts.cancel_asked_by:
            return "alert-state"
        if facts.cancel_asked_by == person:
            return "alert-same-person"
    if act is Act.SUBMIT:
        return not_ready(facts.draft)
    return ""


def not_ready(draft: Draft) -> str:
    """Why a draft cannot be handed in, as a word."""
    if draft.offence is Offence.NONE:
        return "alert-no-offence"
    if not draft.texts.title.strip():
        return "alert-no-title"
    if not (draft.texts.happening.strip() or draft.texts.facts.strip()):
        return "alert-no-text"
    if draft.expires is None:
        return "alert-no-end"
    if not (draft.is_public or draft.is_for_police):
        return "alert-no-edition"
    if not draft.is_for_police and draft.type is not AlertType.PREVENTION:
        return "alert-police-first"
    if draft.persons and draft.is_public:
        return "alert-person-public"
    return ""


def may_be_public(draft: Draft, now: datetime) -> str:
    """Why there is no public edition of it now, as a word."""
    if not draft.is_public:
        return "alert-not-public"
    if not draft.type.is_for_the_public or draft.persons:
        return "alert-person-public"
    if draft.embargo_until is not None and now < draft.embargo_until:
        return "alert-embargo"
    return ""


def wrong_times(draft: Draft, now: datetime) -> str:
    """Why its moments cannot be published, as a word."""
    if draft.expires is not None and draft.expires <= now:
        return "alert-end-past"
    if draft.expires is not None and draft.onset is not None and draft.expires <= draft.onset:
        return "alert-end-before-onset"
    return ""
