"""What people fill in around deliveries: filters, upload, columns, organisations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tocsin.centre.members import allowances
from tocsin.centre.members.forms import Name
from tocsin.centre.members.models import Organisation
from tocsin.centre.members.rules import side_of
from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError
from tocsin.core.words import Tlp
from tocsin.reference.countries import all_countries

from . import grades, labels, urgency
from .allowance_lines import WORDS
from .models import Delivery

SPANS = {"": _("At any time"), "1": _("Last 24 hours"), "7": _("Last 7 days"), "30": _("Last 30 days")}
STATES = {
    "": _("Any state"),
    "urgent": _("Urgent"),
    "received": pgettext_lazy("state", "Received"),
    "parsed": pgettext_lazy("state", "Read"),
    "refusals": _("Read, with refused records"),
    "quarantined": pgettext_lazy("state", "Quarantined"),
    "held": pgettext_lazy("state", "Under review"),
    "duplicate": pgettext_lazy("state", "Duplicate"),
}
LABELS = [("", _("As the file says, else as agreed")), *((tlp.value, tlp.value) for tlp in Tlp)]


class FilterForm(forms.Form):
    """Which deliveries to list."""

    organisation = forms.ChoiceField(label=_("Organisation"), required=False)
    state = forms.ChoiceField(label=_("State"), required=False, choices=list(STATES.items()))
    format = forms.ChoiceField(label=_("Format"), required=False)
    days = forms.ChoiceField(label=_("Received"), required=False, choices=list(SPANS.items()))
    name = forms.CharField(label=_("File name"), required=False, max_length=100)

    def __init__(self, data: object, *, organisations: Iterable[Organisation], formats: Sequence[str]) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        _choices(self, "organisation", [("", _("Every organisation")), *((o.slug, o.name) for o in organisations)])
        _choices(self, "format", [("", _("Any format")), *((name, name) for name in formats)])

    def narrowed(self, found: QuerySet[Delivery], now: datetime) -> QuerySet[Delivery]:
        """The deliveries that were asked for; a value that is not offered filters nothing."""
        self.is_valid()
        said = self.cleaned_data
        if slug := said.get("organisation"):
            found = found.filter(organisation__slug=slug)
        if state := said.get("state"):
            if state == "refusals":
                found = found.filter(state="parsed", rejections__gt=0)
            elif state == "urgent":
                found = found.exclude(urgent_at=None)
            else:
                found = found.filter(state=state)
        if name := said.get("format"):
            found = found.filter(format=name)
        if days := said.get("days"):
            found = found.filter(received_at__gte=now - timedelta(days=int(days)))
        if text := said.get("name"):
            found = found.filter(name__icontains=text)
        return found


class UploadForm(forms.Form):
    """How files are handed over; the files themselves come beside it."""

    organisation = forms.ModelChoiceField(label=_("On behalf of"), queryset=Organisation.objects.none())
    marking = forms.ChoiceField(
        label=_("Sharing label"), required=False, choices=LABELS,
        help_text=_("A label inside the file holds for its own records in any case."),
    )  # fmt: skip
    grade = forms.CharField(
        label=_("Grade"), required=False, max_length=20,
        widget=forms.TextInput(attrs={"dir": "ltr", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Such as 4x4:B2, Admiralty:B2 or 3x5x2:1AP. Empty: as the file says, else as agreed."),
    )  # fmt: skip
    urgent = forms.CharField(
        label=_("Urgent, because"), required=False, max_length=urgency.LONGEST_REASON,
        widget=forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"}),
        help_text=_("Only where somebody must take it up within 30 minutes: say why. Empty: it is not urgent."),
    )  # fmt: skip
    profile = forms.ChoiceField(
        label=_("Column map"), required=False,
        help_text=_("Recognised formats need none. For a table of your own, choose a saved map or map its columns."),
    )  # fmt: skip

    def __init__(
        self,
        *args: object,
        organisations: QuerySet[Organisation],
        maps: Sequence[tuple[str, object]],
        **options: object,
    ) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        field = self.fields["organisation"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = organisations
        field.to_field_name = "slug"
        field.empty_label = None
        _choices(self, "profile", [("", _("Recognise by content")), *maps])
        describe(self)

    def clean(self) -> dict[str, object]:
        said = super().clean() or {}
        organisation, grade = said.get("organisation"), said.get("grade")
        if isinstance(organisation, Organisation) and grade:
            try:
                said["grade"] = grades.stated(str(grade), organisation)
            except InputError as error:
                self.add_error("grade", sentence(error.reason))
        return said


class OrganisationForm(forms.Form):
    """A partner as its agreement describes it."""

    name = Name(label=_("Name"), max_length=200)
    slug = forms.SlugField(
        label=_("Short name"), max_length=60, help_text=_("Lower case letters, digits and hyphens; it never changes.")
    )
    class_name = forms.ChoiceField(label=_("Class"))
    country = forms.ChoiceField(label=_("Country"), required=False)
    parent = forms.ModelChoiceField(
        label=_("Below"), required=False, queryset=Organisation.objects.none(), to_field_name="slug",
        empty_label=_("None"), help_text=_("For national units and sub-bureaus: the bureau that answers for it."),
    )  # fmt: skip
    is_bureau = forms.BooleanField(label=_("It is a bureau, or a sub-bureau"), required=False)
    contact = Name(label=_("Contact"), max_length=200, required=False)
    tlp = forms.ChoiceField(
        label=_("Label of what says none"), choices=[(tlp.value, tlp.value) for tlp in Tlp], initial=Tlp.AMBER.value
    )
    is_active = forms.BooleanField(label=_("Its people and keys may come in"), required=False, initial=True)

    def __init__(self, *args: object, language: str, known: Organisation | None = None, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        countries = sorted(((each.code, each.name(language)) for each in all_countries()), key=lambda pair: pair[1])
        if known is not None and known.country not in {"", *(code for code, _name in countries)}:
            countries.append((known.country, known.country))  # Not every member is in ISO 3166: it keeps its code.
        _choices(self, "class_name", list(labels.CLASSES.items()))
        _choices(self, "country", [("", _("None")), *countries])
        parent = self.fields["parent"]
        assert isinstance(parent, forms.ModelChoiceField)
        police = Organisation.objects.filter(class_name=Organisation.Class.LAW_ENFORCEMENT, is_centre=False)
        parent.queryset = police.order_by("-is_bureau", "name")
        if known is not None:
            for fixed in ("slug", "class_name", "is_bureau"):
                del self.fields[fixed]
            if side_of(known) != "bureau":
                del self.fields["parent"]
            if side_of(known) == "partner":
                del self.fields["tlp"]  # Its agreement says it.
            if known.is_centre:
                del self.fields["is_active"]
        describe(self)

    def clean(self) -> dict[str, object]:
        said = super().clean() or {}
        class_name = said.get("class_name")
        if class_name and class_name != Organisation.Class.LAW_ENFORCEMENT:
            for name in ("parent", "is_bureau"):
                if said.get(name):
                    self.add_error(name, _("Only police bodies are bureaus or stand below one."))
        return said


class UrgencyForm(forms.Form):
    """Why something that was handed over turned out to be urgent."""

    reason = forms.CharField(
        label=_("Why somebody must take it up within 30 minutes"), max_length=urgency.LONGEST_REASON,
        widget=forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"}),
    )  # fmt: skip


def describe(form: forms.Form) -> None:
    """The hint of a field is read out with it."""
    for name, field in form.fields.items():
        if field.help_text:
            field.widget.attrs["aria-describedby"] = f"{form[name].id_for_label}_helptext"


def _choices(form: forms.Form, name: str, choices: Sequence[tuple[str, object]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices


class LimitsForm(forms.Form):
    """Limits of one organisation; what is left empty is as for everybody."""

    def __init__(self, data: object, *, organisation: Organisation) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        for name in allowances.NAMES:
            usual, least = int(settings.INSTALLATION.limits[name]), allowances.least_of(name)
            field = forms.IntegerField(
                label=str(WORDS[name][0]), required=False, min_value=least, max_value=allowances.MOST,
                initial=organisation.limits.get(name), help_text=str(WORDS[name][1]),
            )  # fmt: skip
            field.widget.attrs |= {"dir": "ltr", "inputmode": "numeric", "placeholder": str(usual or "")}
            field.group = name.partition("_")[0]  # type: ignore[attr-defined]
            self.fields[name] = field
