"""What people fill in about an agreement, part by part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError
from tocsin.core.grading import grade_of
from tocsin.core.words import Tlp
from tocsin.handling import default_set, require_said
from tocsin.handling.sets import LONGEST_RESTRICTION

from . import labels
from .agreement_states import PAGE_ONLY, clean_fingerprint, day_of
from .forms import Name
from .models import Agreement

PLAIN = {"dir": "auto", "autocomplete": "off"}


def _with_word(texts: Mapping[str, str | Promise]) -> list[tuple[str, str | Promise]]:
    return [(word, format_lazy("{word}: {text}", word=word, text=text)) for word, text in texts.items()]


FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2199, 12, 31)
"""What lies before or after was mistyped."""


class Day(forms.DateField):
    """A day, chosen or typed as 2026-12-31."""

    def __init__(self, **said: Any) -> None:
        bounds = {"min": FIRST_DAY.isoformat(), "max": LAST_DAY.isoformat()}
        widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", **bounds})
        super().__init__(widget=widget, input_formats=["%Y-%m-%d"], **said)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value is not None and not FIRST_DAY <= value <= LAST_DAY:
            raise ValidationError(_("This day cannot be meant: check the year."))


class Restrictions(forms.CharField):
    """What H3 means: one restriction, or several with an empty line between them."""

    def __init__(self, **said: Any) -> None:
        said |= {
            "label": _("Restriction of its own (H3)"), "required": False, "max_length": 4 * LONGEST_RESTRICTION,
            "widget": forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
            "help_text": _("Everybody who opens it reads this first. Name no victim and no case in it."),
        }  # fmt: skip
        super().__init__(**said)

    @staticmethod
    def shown(texts: Iterable[str]) -> str:
        """As they are written into the field."""
        return "\n\n".join(texts)

    def clean(self, value: Any) -> list[str]:
        said = str(super().clean(value)).replace("\r\n", "\n")
        found = [text.strip() for text in re.split(r"\n\s*\n", said) if text.strip()]
        if any(len(text) > LONGEST_RESTRICTION for text in found):
            raise ValidationError(_("A restriction has at most %(most)s characters.") % {"most": LONGEST_RESTRICTION})
        return found


class TermsForm(forms.Form):
    """What is negotiated."""

    title = Name(label=_("Title"), max_length=200)
    starts_on = Day(label=_("First day"), required=False, help_text=_("From 00:00 UTC of this day."))
    ends_on = Day(
        label=_("Last day"), required=False,
        help_text=_("Until 23:59:59 UTC of this day; empty: without an end."),
    )  # fmt: skip
    data_types = forms.MultipleChoiceField(
        label=_("What may be handed over"), required=False, choices=list(labels.DATA_TYPES.items()),
        widget=forms.CheckboxSelectMultiple, help_text=_("Nothing ticked: everything."),
    )  # fmt: skip
    survival = forms.CharField(
        label=_("What goes on to bind both sides after its end"), max_length=4000, required=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        first, last = said.get("starts_on"), said.get("ends_on")
        if first and last and last < first:
            self.add_error("ends_on", _("The last day lies before the first."))
        return said


class VettingForm(forms.Form):
    """What somebody found in each of the five, and until when the partner passes."""

    vetted_until = Day(
        label=_("The vetting holds until"),
        help_text=_("At most five years. When it lapses, nothing is taken in until the partner is vetted again."),
    )

    def __init__(self, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        last = self.fields.pop("vetted_until")
        for name, (label, hint) in labels.VETTING.items():
            self.fields[name] = forms.CharField(
                label=str(label),
                help_text=str(hint),
                max_length=4000,
                widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
            )
        self.fields["vetted_until"] = last


class SignaturesForm(forms.Form):
    """Who signed for both sides, and when."""

    signed_for_centre = Name(label=_("Signed for the Centre by"), max_length=160)
    signed_for_centre_on = Day(label=_("Day of the Centre's signature"))
    signed_for_partner = Name(label=_("Signed for the partner by"), max_length=160)
    signed_for_partner_on = Day(label=_("Day of the partner's signature"))

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        today = day_of(timezone.now())
        for name in ("signed_for_centre_on", "signed_for_partner_on"):
            if said.get(name) and said[name] > today:
                self.add_error(name, _("This day is still to come. Note a signature once it was given."))
        return said


class SecurityForm(forms.Form):
    """The key that was compared, and whom to call."""

    key_fingerprint = forms.CharField(
        label=_("Fingerprint of the partner's key"), max_length=200, required=False,
        widget=forms.TextInput(attrs={"dir": "ltr", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("40 or 64 hexadecimal digits, read out by the partner in a second way, such as by telephone."),
    )  # fmt: skip
    is_page_only = forms.BooleanField(label=_("The partner hands over on the page only and has no key"), required=False)
    security_contact = Name(label=_("Security contact"), max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("is_page_only"):
            said["key_fingerprint"] = PAGE_ONLY
        elif said.get("key_fingerprint") and clean_fingerprint(said["key_fingerprint"]) in {"", PAGE_ONLY}:
            self.add_error("key_fingerprint", _("This is no fingerprint: it has 40 or 64 hexadecimal digits."))
        return said


class DefaultsForm(forms.Form):
    """What holds for whatever the partner hands over without saying otherwise."""

    tlp = forms.ChoiceField(label=_("Sharing label"), choices=[(tlp.value, tlp.value) for tlp in Tlp])
    codes = forms.MultipleChoiceField(
        label=_("Handling codes"), required=False, widget=forms.CheckboxSelectMultiple,
        choices=_with_word(labels.CODES),
    )  # fmt: skip
    restrictions = Restrictions()
    pap = forms.ChoiceField(label=_("What may be done with it (PAP)"), choices=_with_word(labels.PAP))
    purposes = forms.MultipleChoiceField(
        label=_("Purposes"), widget=forms.CheckboxSelectMultiple, choices=list(labels.PURPOSES.items())
    )
    attribution = forms.ChoiceField(
        label=_("Whether the source may be named"), choices=list(labels.ATTRIBUTIONS.items())
    )
    retention_months = forms.IntegerField(label=_("How long it is kept, in months"), min_value=1, max_value=60)
    grade = forms.CharField(
        label=_("Grade of what says none"), required=False, max_length=20,
        widget=forms.TextInput(attrs={"dir": "ltr", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Such as 4x4:X4 or Admiralty:F6; its scheme is also how B2 alone is read. Empty: Admiralty:F6."),
    )  # fmt: skip

    agreed_by = Name(
        label=_("Agreed for the partner by"), max_length=160, required=False,
        help_text=_("Needed where more is allowed than what the partner signed. It reads this beside the change."),
    )  # fmt: skip
    agreed_on = Day(label=_("Day on which it agreed"), required=False)

    def clean_grade(self) -> str:
        try:
            return str(grade_of(said)) if (said := self.cleaned_data["grade"]) else ""
        except InputError as error:
            raise ValidationError(sentence(error.reason)) from None

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if bool(said.get("agreed_by")) != bool(said.get("agreed_on")) and "agreed_on" not in self.errors:
            missing = "agreed_on" if said.get("agreed_by") else "agreed_by"
            self.add_error(missing, _("Say who agreed, and on which day."))
        if not self.errors:
            try:
                require_said(
                    default_set({name: said[name] for name in said if not name.startswith("agreed_")}, None)[0]
                )
            except InputError as error:
                if error.reason == "restriction-missing":
                    raise ValidationError({"restrictions": sentence(error.reason)}) from None
                raise ValidationError(_("These contradict one another: a field says what another forbids.")) from None
        return said


FORMS: dict[str, type[forms.Form]] = {
    "terms": TermsForm, "vetting": VettingForm, "signatures": SignaturesForm, "security": SecurityForm,
    "defaults": DefaultsForm,
}  # fmt: skip
"""Part of an agreement → its form."""


def initial_of(part: str, agreement: Agreement) -> dict[str, Any]:
    """What the form shows first."""
    if part == "defaults":
        defaults = agreement.organisation.defaults
        held = default_set(defaults, None)[0]
        texts = Restrictions.shown(held.restrictions)
        return held.as_json() | {"grade": defaults.get("grade", ""), "restrictions": texts}
    initial = {name: getattr(agreement, name) for name in FORMS[part]().fields if hasattr(agreement, name)}
    if part == "security" and agreement.key_fingerprint == PAGE_ONLY:
        initial |= {"is_page_only": True, "key_fingerprint": ""}
    return initial
