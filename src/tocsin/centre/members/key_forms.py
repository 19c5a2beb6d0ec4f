"""The form for a new key, and the words of its bounds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError
from tocsin.core.words import Tlp
from tocsin.credentials import certificates

from .forms import Name
from .key_rules import RANGES_MOST, parsed_ranges
from .models import Person
from .rules import scopes_of

SCOPE_NAMES: dict[str, str | Promise] = {
    "deliver": _("Hand over deliveries through the API and fetch their receipts"),
    "taxii": _("Hand over objects through TAXII and follow them"),
    "read": _("Read what I may read: look-ups, observations, receipts"),
    "packages": _("Fetch country packages"),
    "respond": _("Acknowledge what was released to us and say what came of it"),
    "ask": _("Ask sources for more than their label allows"),
    "answer": _("Answer as a source what is asked of us, and take permissions back"),
    "alerts": _("Write, review and translate alerts; approving and publishing is for people alone"),
    "recall": _("Recall and correct what was handed over"),
}

REFUSALS: dict[str, str | Promise] = {
    "revoked": _("It had been ended."),
    "expired": _("Its time was over."),
    "person": _("The account was closed."),
    "organisation": _("The organisation was suspended."),
    "moved": _("Its owner had moved to another organisation."),
    "address": _("It was used from an address that it is not for."),
    "no-certificate": _("No client certificate was shown beside it."),
    "certificate": _("Another client certificate was shown beside it."),
    "certificate-ended": _("The client certificate had ended."),
}
"""Why a key that is known opened nothing, as its owner reads it."""

LIFETIMES_DAYS = (30, 90, 180, 365, 730)


def _lifetimes() -> list[tuple[int, str]]:
    most = settings.INSTALLATION.key_days
    offered = [days for days in LIFETIMES_DAYS if days < most] + [most]
    return [(days, ngettext("%(days)s day", "%(days)s days", days) % {"days": days}) for days in offered]


class KeyForm(forms.Form):
    """A new key: what it is for, what it may do, until when, from where, and beside which certificate."""

    name = Name(label=_("What it is for"), max_length=80, help_text=_("The program or machine that will hold it."))
    scopes = forms.MultipleChoiceField(label=_("What it may do"), widget=forms.CheckboxSelectMultiple)
    ceiling = forms.ChoiceField(
        label=_("What it may read at most"), required=False,
        choices=[("", _("All that I may read")), *((tlp.value, tlp.value) for tlp in Tlp if tlp is not Tlp.RED)],
        help_text=_("Whatever bears a narrower label does not exist for the program."),
    )  # fmt: skip
    days = forms.TypedChoiceField(label=_("Valid for"), coerce=int, choices=_lifetimes)
    ranges = forms.CharField(
        label=_("From which addresses"), required=False, max_length=4000,
        help_text=_("Networks such as 192.0.2.0/24 or 2001:db8::/48, one in each line. Empty: from anywhere."),
        widget=forms.Textarea(attrs={"rows": 3, "dir": "ltr", "spellcheck": "false", "autocomplete": "off"}),
    )  # fmt: skip
    certificate = forms.CharField(
        label=_("Only beside this client certificate"), required=False, max_length=certificates.LONGEST_BYTES,
        help_text=_("The certificate itself (PEM), never its private key. Empty: without a certificate."),
        widget=forms.Textarea(attrs={"rows": 3, "dir": "ltr", "spellcheck": "false", "autocomplete": "off"}),
    )  # fmt: skip

    def __init__(self, person: Person, at: datetime, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.at = at
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(scope, SCOPE_NAMES[scope]) for scope in scopes_of(person)]
        self.initial.setdefault("days", min(365, settings.INSTALLATION.key_days))

    def clean_ranges(self) -> list[str]:
        try:
            return parsed_ranges(self.cleaned_data["ranges"])
        except InputError as error:
            if error.reason == "not-a-network":
                said = _("%(range)s is not a network: write such as 192.0.2.0/24, without host bits.")
                raise ValidationError(said, params={"range": error.excerpt}) from error
            if error.reason == "network-too-wide":
                raise ValidationError(sentence(error.reason)) from error
            said = _("These are too many networks: at most %(most)s.")
            raise ValidationError(said, params={"most": RANGES_MOST}) from error

    def clean_certificate(self) -> certificates.Certificate | None:
        text: str = self.cleaned_data["certificate"].strip()
        if not text:
            return None
        if "PRIVATE KEY" in text:
            raise ValidationError(_("This holds a private key. Nobody should have it but the machine: make a new one."))
        try:
            found = certificates.from_pem(text)
        except ValueError as error:
            raise ValidationError(_("This is not a certificate in PEM form.")) from error
        if found.ends_at <= self.at:
            raise ValidationError(_("This certificate has ended."))
        return found

    @property
    def lifetime(self) -> timedelta:
        """How long the key shall live; of a valid form."""
        return timedelta(days=self.cleaned_data["days"])
