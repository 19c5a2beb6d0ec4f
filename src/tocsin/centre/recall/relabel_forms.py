"""What a person fills in to lay down another handling set, and whom it may name there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from tocsin.centre.members import labels as words
from tocsin.centre.members.agreement_forms import Restrictions
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.permissions.audiences import Choices, Several, audience_choices
from tocsin.core.errors import InputError
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet
from tocsin.handling.deriving import ALL_MEMBERS

from .relabelling import FIELDS, LONGEST_NOTE

PERSON = "person:"
_SEVERAL = _("Several: hold Ctrl or Command.")


def _with_word(texts: Mapping[str, str | Promise]) -> list[tuple[str, str | Promise]]:
    return [(word, format_lazy("{word}: {text}", word=word, text=text)) for word, text in texts.items()]


def readers_for(person: Person, sets: Iterable[HandlingSet]) -> tuple[list[Any], list[Any]]:
    """Whom this person can name and exclude, as choices: countries and bureaus, whom the sets name already, and other
    organisations where it may know of them."""
    groups, countries, organisations = audience_choices()
    if not may(person, "read-organisations"):
        known = {entry for each in sets for entry in (*each.audience, *each.exclusions)}
        bureaus = Organisation.objects.filter(is_bureau=True, is_active=True).values_list("slug", flat=True)
        known |= {*bureaus, person.organisation.slug}
        organisations = (organisations[0], [each for each in organisations[1] if each[0] in known])
    classes = (groups[0], [each for each in groups[1] if each[0] != ALL_MEMBERS])
    everybody = (groups[0], [each for each in groups[1] if each[0] == ALL_MEMBERS])
    return [everybody, countries, organisations], [classes, countries, organisations]


def require_known(changes: Mapping[str, Any], person: Person, sets: Iterable[HandlingSet]) -> None:
    """Raises InputError for the first whom this person cannot name. Persons are taken as written: whether they have an
    account is nobody's to find out."""
    for name, choices in zip(("audience", "exclusions"), readers_for(person, list(sets)), strict=True):
        known = {entry for _group, some in choices for entry, _label in some}
        for entry in changes.get(name, ()):
            is_person = name == "audience" and str(entry).startswith(PERSON)
            if entry not in known and not is_person:
                raise InputError("relabel-unknown-reader", field=name, excerpt=str(entry)[:80])


class ChooseForm(forms.Form):
    """Which objects or values of a delivery; none: all of it."""

    parts = forms.CharField(
        label=_("Which parts"), required=False, max_length=400_000,
        widget=forms.Textarea(attrs={"rows": 4, "dir": "ltr", "spellcheck": "false"}),
        help_text=_("One id of an object, or one value, on each line. Nothing written: the whole delivery."),
    )  # fmt: skip


class RelabelForm(forms.Form):
    """The fields of a handling set. What is left as it is shown stays as it is in each part."""

    tlp = forms.ChoiceField(label=_("Sharing label"), choices=[(tlp.value, tlp.value) for tlp in Tlp])
    audience = Several(label=_("Who is named beside the label"), help_text=_SEVERAL)
    persons = forms.CharField(
        label=_("Persons who are named"), required=False, max_length=4_000,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "ltr", "spellcheck": "false"}),
        help_text=_("For TLP:RED: one login on each line."),
    )  # fmt: skip
    exclusions = Several(
        label=_("Who never has it"), help_text=_("They never learn that it exists, nor that they are left out.")
    )
    codes = forms.MultipleChoiceField(
        label=_("Handling codes"), required=False, widget=forms.CheckboxSelectMultiple, choices=_with_word(words.CODES)
    )
    restrictions = Restrictions()
    pap = forms.ChoiceField(label=_("What may be done with it (PAP)"), choices=_with_word(words.PAP))
    purposes = forms.MultipleChoiceField(
        label=_("Purposes"), required=False, widget=forms.CheckboxSelectMultiple, choices=list(words.PURPOSES.items())
    )
    classification = forms.ChoiceField(label=_("Classification"), choices=list(words.CLASSIFICATIONS.items()))
    attribution = forms.ChoiceField(
        label=_("Whether the source may be named"), choices=list(words.ATTRIBUTIONS.items())
    )
    note = forms.CharField(
        label=_("Note"), required=False, max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
        help_text=_("For the Centre and the source. Recipients never read it."),
    )  # fmt: skip

    def __init__(self, *args: Any, person: Person, sets: list[HandlingSet], **said: Any) -> None:
        super().__init__(*args, **said)
        first = max(sets, key=lambda each: (each.tlp.rank, each.digest)).as_json()
        self.first: dict[str, Any] = {name: first.get(name, []) for name in FIELDS}
        named = [str(entry) for entry in self.first["audience"]]
        persons = [entry.removeprefix(PERSON) for entry in named if entry.startswith(PERSON)]
        texts = Restrictions.shown(self.first["restrictions"])
        self.initial.update(self.first, persons="\n".join(persons), restrictions=texts)
        both: tuple[Choices, Choices] = readers_for(person, sets)
        for name, choices in zip(("audience", "exclusions"), both, strict=True):
            self.fields[name].choices = choices  # type: ignore[attr-defined]

    def changes(self) -> dict[str, Any]:
        """What was said otherwise than it was shown."""
        said = dict(self.cleaned_data)
        persons = [PERSON + line.strip() for line in said.pop("persons").splitlines() if line.strip()]
        said["audience"] = [*said["audience"], *persons]
        wanted = {name: sorted(said[name]) if isinstance(said[name], list) else said[name] for name in FIELDS}
        return {name: value for name, value in wanted.items() if value != self.first[name]}
