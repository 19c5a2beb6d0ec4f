"""What a person fills in to recall, and to answer a recall."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from . import labels
from .rules import wanted_answers


class RecallForm(forms.Form):
    """Why, and what recipients are to do."""

    reason = forms.ChoiceField(label=_("Why"), choices=list(labels.REASONS.items()))
    action = forms.ChoiceField(label=_("What recipients are asked to do"), choices=list(labels.ACTIONS.items()))
    note = forms.CharField(
        label=_("Note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=_("For the Centre and the source. Recipients never read it."),
    )  # fmt: skip


class AnswerForm(forms.Form):
    """What was done with what was taken."""

    state = forms.ChoiceField(label=_("What was done"))
    for_units = forms.BooleanField(
        label=_("This holds for every unit that we authorised, and for every copy that we passed on."), required=False
    )
    note = forms.CharField(
        label=_("Note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=_("Where it is kept: name the legal duty. The Centre reads this."),
    )  # fmt: skip

    def __init__(self, *args: object, action: str, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        field = self.fields["state"]
        assert isinstance(field, forms.ChoiceField)
        wanted = wanted_answers(action)
        field.choices = [(state, name) for state, name in labels.STATES.items() if state in wanted]
