"""What a person fills in to recall, and to answer a recall."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from . import corrections, labels
from .rules import wanted_answers

_FIELDS = tuple(name for name in corrections.FIELDS if name != corrections.VALUE)


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
    acted = forms.BooleanField(
        label=_("We acted on it, and not everything is undone yet: a block, an alert, a notice to others."),
        required=False,
    )
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
        if action != "correct":
            del self.fields["acted"]


class PartsForm(RecallForm):
    """Which objects or values of a delivery, beside why and what recipients are to do."""

    parts = forms.CharField(
        label=_("What is recalled"), required=False, max_length=400_000,
        widget=forms.Textarea(attrs={"rows": 6, "dir": "ltr", "spellcheck": "false"}),
        help_text=_(
            "One on each line: an address, domain, hash or other value, the id of a STIX object, or the UUID of a MISP"
            " event or attribute. Defanged values are understood."
        ),
    )  # fmt: skip
    field_order = ("parts", "reason", "action", "note")


class CorrectionForm(forms.Form):
    """What stands in the place of one of them."""

    field = forms.ChoiceField(
        label=_("Field"), required=False,
        choices=[("", _("Not corrected")), (corrections.VALUE, _("The value")), *((name, name) for name in _FIELDS)],
    )  # fmt: skip
    became = forms.CharField(
        label=_("What is right"), required=False, max_length=2048, widget=forms.TextInput(attrs={"dir": "auto"})
    )


class UndoForm(forms.Form):
    """What became of the task to undo something."""

    state = forms.ChoiceField(label=_("What was done"), choices=list(labels.UNDO_ANSWERS.items()))
    note = forms.CharField(
        label=_("Note"), required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
        help_text=_("Where nothing had to be undone: say why. The Centre reads this."),
    )  # fmt: skip
