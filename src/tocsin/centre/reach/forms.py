"""What a recipient fills in."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from tocsin.centre.ledger.labels import OUTCOMES, USEFULNESS

from .responding import LONGEST_NOTE


class AnswerForm(forms.Form):
    """What came of it."""

    outcome = forms.ChoiceField(label=_("What came of it"), choices=list(OUTCOMES.items()))
    usefulness = forms.ChoiceField(label=_("Was it useful?"), choices=list(USEFULNESS.items()))
    note = forms.CharField(
        label=_("What was done, or why nothing was"), required=False, max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=_("The Centre reads this. The source only learns whether at least three countries found it useful."),
    )  # fmt: skip
