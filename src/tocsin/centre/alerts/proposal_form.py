"""What a bureau or a partner fills in to propose an alert: shorter than what the Centre writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms import BaseFormSet
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tocsin.centre.permissions.audiences import Several
from tocsin.core.words import Kind, Offence, Role
from tocsin.products.alerts.draft import LONGEST_TITLE, Draft, to_json
from tocsin.products.alerts.record import LANGUAGES, AlertType
from tocsin.reference.countries import all_countries

from . import labels
from .forms import ONE_EACH, RowForm, passage

MOST_VALUES = 100


class ProposalForm(forms.Form):
    """What happened, to whom, and what people should do."""

    type = forms.ChoiceField(label=labels.FIELDS["type"])
    offence = forms.ChoiceField(label=labels.FIELDS["offence"])
    language = forms.ChoiceField(label=_("Language in which you write"), required=False)
    title = forms.CharField(
        label=labels.FIELDS["title"], max_length=LONGEST_TITLE, widget=forms.TextInput(attrs={"dir": "auto"})
    )
    happening = passage("happening", 5, _("What everybody may read, if the Centre agrees. No names of victims."))
    at_risk = passage("at_risk", 2)
    recognise = passage("recognise", 4, ONE_EACH)
    do_now = passage("do_now", 4, ONE_EACH)
    facts = passage("facts", 5, _("For the police alone: what you know, and from where."))
    countries = Several(label=labels.FIELDS["countries"], help_text=_("None chosen: all."))
    note = forms.CharField(
        label=_("To the Centre"), required=False, max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=_("Why now, whom we may ask, what must not become known."),
    )  # fmt: skip

    def __init__(self, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        lands = sorted((each.name(get_language() or "en"), each.code) for each in all_countries())
        for name, listed in {
            "type": [(each.value, labels.word("type", each.value)) for each in AlertType],
            "offence": [(each.value, labels.word("offence", each.value)) for each in Offence
                        if each is not Offence.NONE],
            "language": [(each, labels.language_name(each)) for each in LANGUAGES],
            "countries": [(code, name) for name, code in lands],
        }.items():  # fmt: skip
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = listed

    def content(self, rows: BaseFormSet[Any]) -> dict[str, Any]:
        """The draft as JSON that is proposed."""
        said, content = self.cleaned_data, to_json(Draft())
        texts = {name: said[name].replace("\r\n", "\n").strip() for name in ("title", "happening", "at_risk", "facts")}
        texts |= {name: [line for line in map(str.strip, said[name].splitlines()) if line]
                  for name in ("recognise", "do_now")}  # fmt: skip
        content["texts"] |= texts
        content |= {"type": said["type"], "offence": said["offence"], "countries": sorted(said["countries"]),
                    "language": said["language"] or "en", "is_public": said["type"] != "PERSON"}  # fmt: skip
        content["indicators"] = [
            {name: each.cleaned_data[name] for name in ("value", "kind", "role", "note")}
            for each in rows.forms if each.cleaned_data
        ]  # fmt: skip
        return content


class ValueForm(RowForm):
    """A technical value that is proposed with it."""

    value = forms.CharField(label=_("Value"), max_length=2_000, widget=forms.TextInput(attrs={"dir": "ltr"}))
    kind = forms.ChoiceField(
        label=_("Kind"), choices=[(each.value, each.value) for each in Kind], initial=Kind.IPV4.value
    )
    role = forms.ChoiceField(label=_("Role"), choices=list(labels.ROLES.items()), initial=Role.UNKNOWN.value)
    note = forms.CharField(label=_("Note"), max_length=500, required=False)


def proposed_rows(data: Mapping[str, Any] | None) -> BaseFormSet[Any]:
    kind = forms.formset_factory(ValueForm, extra=4, absolute_max=MOST_VALUES, max_num=MOST_VALUES)
    return kind(data, prefix="values")
