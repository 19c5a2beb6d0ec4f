"""What managers fill in about people and units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from tocsin.core.names import is_login

from . import labels
from .agreement_forms import PLAIN, Day
from .forms import Name
from .models import Organisation, Person
from .people import About, clearances_of
from .rules import LANGUAGES


def _offer(form: forms.Form, name: str, choices: Sequence[tuple[str, Any]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices


class AboutForm(forms.Form):
    """Roles, clearance, languages and teams of a person; at the Centre also who seconded it, and until when."""

    roles = forms.MultipleChoiceField(label=_("Roles"), required=False, widget=forms.CheckboxSelectMultiple)
    clearance = forms.ChoiceField(label=_("Cleared up to"), required=False)
    languages = forms.MultipleChoiceField(
        label=_("Languages"), required=False, choices=[(word, labels.LANGUAGES[word]) for word in LANGUAGES],
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    teams = forms.CharField(
        label=_("Teams"), required=False, max_length=400, help_text=_("Separate several with commas."),
        widget=forms.TextInput(attrs=PLAIN | {"aria-describedby": "id_teams_helptext"}),
    )  # fmt: skip
    employer = forms.ModelChoiceField(
        label=_("Seconded by"), required=False, queryset=Organisation.objects.none(), to_field_name="slug",
        empty_label=_("Nobody: it is the Centre's own"),
        help_text=_("Who is seconded sees what both the seat and the employer may see."),
    )  # fmt: skip
    seat_from = Day(label=_("First day of the seat"), required=False)
    seat_until = Day(
        label=_("Last day of the seat"), required=False,
        help_text=_("Until 23:59:59 UTC of this day; then access ends."),
    )  # fmt: skip

    def __init__(self, *args: Any, organisation: Organisation, given: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        ceiling = clearances_of(organisation)
        _offer(self, "roles", [(role, labels.ROLES[role]) for role in given])
        _offer(self, "clearance", [("", _("As high as its organisation goes")),
                                   *((word, labels.CLASSIFICATIONS[word]) for word in ceiling)])  # fmt: skip
        if not organisation.is_centre:
            for name in ("employer", "seat_from", "seat_until"):
                del self.fields[name]
            return
        employer = self.fields["employer"]
        assert isinstance(employer, forms.ModelChoiceField)
        # One that was closed since stays: left out, the next save would make the seat the Centre's own.
        kept = getattr(self.initial.get("employer"), "pk", None)
        offered = Organisation.objects.filter(Q(is_active=True) | Q(pk=kept), is_centre=False)
        employer.queryset = offered.order_by("is_bureau", "name")

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        first, last = said.get("seat_from"), said.get("seat_until")
        if first and last and last < first:
            self.add_error("seat_until", _("The last day lies before the first."))
        return said

    def about(self) -> About:
        """What was filled in, for the service."""
        said = self.cleaned_data
        return About(
            roles=said["roles"], clearance=said["clearance"], languages=said["languages"],
            teams=said["teams"].split(","), employer=said.get("employer"), seat_from=said.get("seat_from"),
            seat_until=said.get("seat_until"),
        )  # fmt: skip


def initial_of(person: Person) -> dict[str, Any]:
    """What the form shows first."""
    return {
        "roles": person.roles, "clearance": person.clearance, "languages": person.languages,
        "teams": ", ".join(person.teams), "employer": person.employer, "seat_from": person.seat_from,
        "seat_until": person.seat_until,
    }  # fmt: skip


class PersonForm(AboutForm):
    """A new account."""

    login = forms.CharField(
        label=_("Login"), max_length=120, widget=forms.TextInput(attrs={"dir": "ltr", "autocomplete": "off"}),
    )  # fmt: skip
    name = Name(label=_("Name"), max_length=160)
    field_order = ("login", "name")

    def clean_login(self) -> str:
        login: str = self.cleaned_data["login"]
        if not is_login(login):
            raise forms.ValidationError(_(
                "A login is made of letters of one script, digits and the signs . @ + - _, and begins with a letter or "
                "a digit. Names that the log itself uses, such as system, are nobody's."
            ))  # fmt: skip
        return login


class UnitForm(forms.Form):
    """A national unit below a bureau or another unit."""

    name = Name(label=_("Name"), max_length=200)
    slug = forms.SlugField(
        label=_("Short name"), max_length=60, help_text=_("Lower case letters, digits and hyphens; it never changes."),
        widget=forms.TextInput(attrs={"dir": "ltr", "autocomplete": "off", "aria-describedby": "id_slug_helptext"}),
    )  # fmt: skip
    parent = forms.ModelChoiceField(
        label=_("Below"), queryset=Organisation.objects.none(), to_field_name="slug", empty_label=None
    )
    contact = Name(label=_("Contact"), max_length=200, required=False)

    def __init__(self, *args: Any, organisation: Organisation, **options: Any) -> None:
        super().__init__(*args, **options)
        parent = self.fields["parent"]
        assert isinstance(parent, forms.ModelChoiceField)
        parent.queryset = Organisation.objects.filter(pk__in={organisation.pk} | organisation.below())

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"].lower()
        if Organisation.objects.filter(slug=slug).exists():
            raise forms.ValidationError(_("Another organisation has this short name."))
        return slug
