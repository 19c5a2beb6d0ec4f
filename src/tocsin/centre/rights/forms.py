"""Forms of people and of the commission."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from . import labels
from .services import LONGEST_TEXT, Asked

_PLAIN = {"dir": "auto", "autocomplete": "off"}


class RequestForm(forms.Form):
    """Who asks for what."""

    kind = forms.ChoiceField(label=_("What you want"), choices=list(labels.KINDS.items()))
    name = forms.CharField(label=_("Your name"), max_length=200, widget=forms.TextInput(attrs=_PLAIN))
    contact = forms.CharField(
        label=_("Where we can write to you"), max_length=400, widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=_("A postal address is best: our letters go there."),
    )  # fmt: skip
    values = forms.CharField(
        label=_("What may stand for you"), required=False, max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
        help_text=_("Other names, e-mail addresses, telephone and account numbers; each on a line of its own."),
    )  # fmt: skip
    text = forms.CharField(
        label=_("What we should know"), required=False, max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
    )  # fmt: skip

    def asked(self) -> Asked:
        """What was said."""
        said: dict[str, Any] = self.cleaned_data
        return Asked(said["name"], said["contact"], said["values"].splitlines(), said["text"])


class EnteredForm(RequestForm):
    """The same from a letter, by the commission."""

    language = forms.ChoiceField(label=_("Language of the letters"), choices=settings.LANGUAGES)


class AnswerForm(forms.Form):
    """How the person is answered."""

    answer = forms.ChoiceField(label=_("Answer"), choices=list(labels.ANSWERS.items()))
    text = forms.CharField(
        label=_("Words of the commission"), required=False, max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
        help_text=_("Where something is told, or the request is not admissible. They stand in the letter as they are."),
    )  # fmt: skip
