"""What people fill in about releases and standing orders."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tocsin.centre.intake.models import Delivery
from tocsin.centre.members import labels as words
from tocsin.centre.members.agreement_forms import Day
from tocsin.centre.members.models import Organisation
from tocsin.centre.permissions.audiences import Several, audience_choices
from tocsin.core.errors import InputError
from tocsin.core.words import Tlp
from tocsin.handling import HandlingSet
from tocsin.handling.sets import CLASSIFICATIONS
from tocsin.reference.countries import country
from tocsin.reference.members import members

from .rules import CEILINGS

Choices = list[tuple[str, str | Promise]]
PURPOSES: Choices = list(words.PURPOSES.items())


class AudienceForm(forms.Form):
    """To whom something may go."""

    audience = Several(
        label=_("Only to these"),
        help_text=_("Nothing chosen: to whomever the label lets have it. Several: hold Ctrl or Command."),
    )

    def __init__(self, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        groups, countries, organisations = audience_choices()
        members_only = (groups[0], groups[1][:1])
        known = {
            "audience": [groups, countries, organisations],
            # A handling set names no classes, and excludes countries and organisations only.
            "addressees": [members_only, countries, organisations],
            "exclusions": [countries, organisations],
        }
        for name, choices in known.items():
            if isinstance(field := self.fields.get(name), Several):
                field.choices = choices


class OrderForm(AudienceForm):
    """What a standing order lets go."""

    title = forms.CharField(
        label=_("Title"), max_length=200, widget=forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"})
    )
    organisation = forms.ModelChoiceField(
        label=_("Whose deliveries"), queryset=Organisation.objects.filter(is_active=True), required=False,
        to_field_name="slug", empty_label=_("Whatever the installation's feeds fetch"),
    )  # fmt: skip
    formats = Several(label=_("Data types"), help_text=_("Nothing chosen: all."))
    ceiling = forms.ChoiceField(
        label=_("Up to this label"), choices=[(tlp.value, tlp.value) for tlp in CEILINGS], initial=Tlp.GREEN.value,
        help_text=_("Narrower labels wait for people. TLP:RED always does."),
    )  # fmt: skip
    purposes = forms.MultipleChoiceField(
        label=_("Purposes"), choices=PURPOSES, widget=forms.CheckboxSelectMultiple, initial=["PROTECT"],
        help_text=_("What its source allows for none of these waits for people."),
    )  # fmt: skip
    starts_on = Day(label=_("First day"), help_text=_("From 00:00 UTC of this day."))
    ends_on = Day(label=_("Last day"), help_text=_("At most a year later. Until 23:59:59 UTC of this day."))
    field_order = ("title", "organisation", "formats", "ceiling", "purposes", "audience", "starts_on", "ends_on")

    def __init__(self, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        seen = Delivery.objects.exclude(format="").order_by("format").values_list("format", flat=True).distinct()
        formats = self.fields["formats"]
        assert isinstance(formats, forms.MultipleChoiceField)
        formats.choices = [(each, each) for each in seen]

    def clean_ceiling(self) -> Tlp:
        return Tlp(self.cleaned_data["ceiling"])


def first_days(today: date) -> dict[str, date]:
    """What a new order begins with: a quarter of a year."""
    return {"starts_on": today, "ends_on": today + timedelta(days=90)}


class CountryForm(forms.Form):
    """One country: what would it get of what waits?"""

    country = forms.ChoiceField(label=_("Country"))

    def __init__(self, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        field = self.fields["country"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = country_choices()


def country_choices() -> Choices:
    """Members of this day, in the reader's order."""
    language = get_language() or "en"
    names = {each.code: country(each.code).name(language) for each in members(timezone.now().date())}
    return sorted(names.items(), key=lambda pair: pair[1])


class SimulatorForm(AudienceForm):
    """Something invented: who would get it?"""

    source = forms.ModelChoiceField(
        label=_("Source"), queryset=Organisation.objects.filter(is_active=True), to_field_name="slug", empty_label="–"
    )
    tlp = forms.ChoiceField(
        label=_("Sharing label"), choices=[(tlp.value, tlp.value) for tlp in Tlp if tlp is not Tlp.RED],
        help_text=_("TLP:RED names persons and is for nobody else."),
    )  # fmt: skip
    codes = forms.MultipleChoiceField(
        label=_("Handling codes"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=list(words.CODES.items()),
    )
    purposes = forms.MultipleChoiceField(label=_("Purposes"), choices=PURPOSES, widget=forms.CheckboxSelectMultiple)
    classification = forms.ChoiceField(
        label=_("Classification"), choices=[(each, words.CLASSIFICATIONS[each]) for each in CLASSIFICATIONS]
    )
    addressees = Several(label=_("Whom the source named"))
    exclusions = Several(label=_("Whom the source excluded"))
    victims = forms.ChoiceField(
        label=_("Only victims of"), required=False,
        help_text=_("Where victims of one country are all that is in it, others find nothing there."),
    )  # fmt: skip
    field_order = (
        "source", "tlp", "classification", "codes", "purposes", "victims", "addressees", "exclusions", "audience",
    )  # fmt: skip

    def __init__(self, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        victims = self.fields["victims"]
        assert isinstance(victims, forms.ChoiceField)
        victims.choices = [("", _("Nobody in particular")), *country_choices()]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if not self.errors:
            try:
                said["handling"] = HandlingSet(
                    tlp=Tlp(said["tlp"]), audience=tuple(said["addressees"]), exclusions=tuple(said["exclusions"]),
                    codes=tuple(said["codes"]), purposes=tuple(said["purposes"]),
                    classification=said["classification"],
                )  # fmt: skip
            except InputError:
                raise forms.ValidationError(
                    _("These contradict one another: a field says what another forbids.")
                ) from None
        return said
