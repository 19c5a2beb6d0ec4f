"""What a person fills in to have packages made."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.utils.translation import gettext_lazy as _

from tocsin.reference.countries import country

SPANS = {
    "1": _("the last 24 hours"),
    "7": _("the last 7 days"),
    "30": _("the last 30 days"),
    "90": _("the last 90 days"),
}


class PackageForm(forms.Form):
    """For which country, of how many days."""

    country = forms.ChoiceField(label=_("Country"))
    days = forms.ChoiceField(label=_("Arrived in"), choices=list(SPANS.items()), initial="7")

    def __init__(self, *args: object, codes: list[str], language: str, with_all: bool, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        choices = sorted(((code, _name_of(code, language)) for code in codes), key=lambda pair: pair[1])
        field = self.fields["country"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [*([("*", _("All member countries"))] if with_all else []), *choices]

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        return now - timedelta(days=int(self.cleaned_data["days"])), now


def _name_of(code: str, language: str) -> str:
    """The country's name; of a code that an installation assigned itself, the code."""
    try:
        return country(code).name(language)
    except KeyError:
        return code
