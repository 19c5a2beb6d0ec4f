"""Words of agreements in templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django import template
from django.forms import BoundField, CheckboxSelectMultiple
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext

from tocsin.core.grading import HOUSE
from tocsin.handling import HandlingSet, default_set

from .. import labels
from ..agreement_states import PREPARATION, State
from ..agreements import Shown

register = template.Library()
ROAD = (State.EXPLORED, State.VETTING, State.NEGOTIATED, State.SIGNED, State.ACTIVE)


@register.filter
def standing_icon(word: str) -> str:
    return labels.STANDINGS[str(word)][0]


@register.filter
def standing_tone(word: str) -> str:
    return labels.STANDINGS[str(word)][1]


@register.filter
def standing_name(word: str) -> object:
    """How an agreement stands, in words."""
    return labels.STANDINGS[str(word)][2]


@register.filter
def agreement_state(word: str) -> object:
    return labels.STATES.get(str(word), word)


@register.filter
def step_name(word: str) -> object:
    """What the button says."""
    return labels.STEPS.get(str(word), word)


@register.filter
def missing_text(word: str) -> object:
    """What must still be done."""
    return labels.MISSING.get(str(word), word)


@register.filter
def basis_text(word: str) -> object:
    return labels.BASES.get(str(word), "")


@register.filter
def data_type(word: str) -> object:
    return labels.DATA_TYPES.get(str(word), word)


@register.filter
def default_field(word: str) -> object:
    """A field of what holds by default."""
    return labels.DEFAULTS.get(str(word), word)


@register.filter
def vetting_part(word: str) -> object:
    return labels.VETTING[str(word)][0]


@register.filter
def part_name(word: str) -> object:
    """A part that is filled in."""
    return labels.PARTS.get(str(word), word)


@register.filter
def is_choices(field: BoundField) -> bool:
    """Whether the field is drawn as boxes to tick."""
    return isinstance(field.field.widget, CheckboxSelectMultiple)


@register.filter
def road(each: Shown) -> list[tuple[str, str, str, str]]:
    """The states on the way, as class, icon, name and mark: behind it, here, ahead."""
    state = State(each.agreement.state)
    here = ROAD.index(state) if state in PREPARATION else len(ROAD) - 1
    steps = []
    for place, step in enumerate(ROAD):
        if place < here:
            steps.append(("is-done", "circle-check", str(labels.STATES[step]), ""))
        elif place > here:
            steps.append(("", "circle-dashed", str(labels.STATES[step]), ""))
        elif state in PREPARATION:
            steps.append(("is-now", "circle-dashed", str(labels.STATES[step]), "step"))
        else:
            icon, tone, name = labels.STANDINGS[each.standing]
            steps.append((f"is-{'done' if tone == 'good' else tone}", icon, str(name), "step"))
    return steps


@dataclass(frozen=True, slots=True)
class Rule:
    """One field of what holds by default: its name, the words of its vocabulary, and what they mean."""

    field: str
    name: str | Promise
    words: tuple[str, ...]
    meaning: tuple[str | Promise, ...]


@register.filter
def in_words(defaults: Mapping[str, object]) -> list[Rule]:
    """What holds for whatever is handed over without a label, sentence by sentence."""
    held = default_set(defaults, None)[0]
    return [
        *_bound(held),
        Rule("attribution", labels.DEFAULTS["attribution"], (), (labels.ATTRIBUTIONS[held.attribution],)),
        Rule("retention_months", labels.DEFAULTS["retention_months"], (), (_kept_for(held),)),
        Rule("grade", labels.DEFAULTS["grade"], (_grade_of(defaults),), ()),
    ]


@register.filter
def conditions(body: Mapping[str, object]) -> list[Rule]:
    """What a handling set, as it is kept, asks of whoever reads what stands under it. Who is named and who is left out
    is not among it."""
    held = HandlingSet.from_json(body)
    words = labels.CLASSIFICATIONS[held.classification]
    return [*_bound(held), Rule("classification", labels.DEFAULTS["classification"], (), (words,))]


@register.filter
def purposes_in_words(listed: Iterable[str]) -> list[object]:
    return [labels.PURPOSES.get(str(word), word) for word in listed]


def _bound(held: HandlingSet) -> list[Rule]:
    codes = tuple(f"{code}: {labels.CODES[code]}" for code in held.codes) or (gettext("None."),)
    own = [Rule("restrictions", labels.DEFAULTS["restrictions"], (), held.restrictions)] if held.restrictions else []
    return [
        Rule("tlp", labels.DEFAULTS["tlp"], (held.tlp.value,), (labels.TLP[held.tlp.value],)),
        Rule("codes", labels.DEFAULTS["codes"], (), codes),
        *own,
        Rule("pap", labels.DEFAULTS["pap"], (held.pap,), (labels.PAP[held.pap],)),
        Rule("purposes", labels.DEFAULTS["purposes"], (), tuple(labels.PURPOSES[word] for word in held.purposes)),
    ]


def _grade_of(defaults: Mapping[str, object]) -> str:
    """As people write it."""
    return str(defaults.get("grade") or HOUSE).replace("admiralty", "Admiralty").replace(":", " ")


def _kept_for(held: HandlingSet) -> str:
    months = ngettext(
        "Kept for %(count)d month, then looked at again or deleted.",
        "Kept for %(count)d months, then looked at again or deleted.",
        held.retention_months,
    )
    return months % {"count": held.retention_months}
