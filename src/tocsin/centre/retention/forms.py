"""Forms on terms and legal holds."""

from __future__ import annotations

from datetime import date

from django import forms
from django.utils.translation import gettext_lazy as _

_TEXT = {"rows": 3, "dir": "auto"}


class TermForm(forms.Form):
    """Until which day, and why."""

    kind = forms.ChoiceField(
        label=_("What is to happen"),
        choices=[
            ("extend", _("Keep it longer")),
            ("shorten", _("End it earlier")),
            ("let-end", _("Let it end, and remind nobody again")),
        ],
    )
    until = forms.DateField(
        label=_("Last day"), required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("It counts whole, in UTC. Not needed where it is left to end."),
    )  # fmt: skip
    reason = forms.CharField(label=_("Reason"), max_length=2000, widget=forms.Textarea(attrs=_TEXT))

    def __init__(self, *args: object, latest: date, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.fields["until"].widget.attrs["max"] = latest.isoformat()


class HoldForm(forms.Form):
    """On what, for whom, why, until when."""

    receipt = forms.CharField(
        label=_("Receipt of the delivery"), max_length=60,
        widget=forms.TextInput(attrs={"dir": "ltr", "autocomplete": "off"}),
    )  # fmt: skip
    authority = forms.CharField(
        label=_("Who wants it kept, and under which reference"), max_length=200,
        widget=forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"}),
    )  # fmt: skip
    reason = forms.CharField(label=_("Reason"), max_length=4000, widget=forms.Textarea(attrs=_TEXT))
    until = forms.DateField(
        label=_("Last day"), required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Empty: until it is lifted."),
    )  # fmt: skip


class CopyForm(forms.Form):
    """For whom a sealed copy is taken out, and why."""

    authority = forms.CharField(
        label=_("For whom, under which reference"), max_length=200, widget=forms.TextInput(attrs={"dir": "auto"})
    )
    reason = forms.CharField(label=_("Reason"), max_length=4000, widget=forms.Textarea(attrs=_TEXT))
