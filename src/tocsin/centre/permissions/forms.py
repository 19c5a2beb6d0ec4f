"""What people fill in to ask a source, and what a source fills in to answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tocsin.centre.members import labels as words
from tocsin.centre.members.agreement_forms import Day

from .audiences import Several, audience_choices
from .labels import PUBLIC_NAME, entry_names
from .models import Permission
from .rules import PUBLIC, Wish

PLAIN = {"rows": 3, "dir": "auto", "autocomplete": "off"}
USUAL_TERM = timedelta(days=90)


def _text(label: Any, help_text: Any = "", *, required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label, help_text=help_text, max_length=1_000, required=required, widget=forms.Textarea(attrs=PLAIN)
    )


class _Wishing(forms.Form):
    """What every form here says: to whom, for what, until when."""

    def wish(self) -> Wish:
        """What is asked for, or permitted."""
        said = self.cleaned_data
        return Wish(
            frozenset(said["audience"]), frozenset(said["purposes"]), bool(said.get("is_standing")), said["until"]
        )


class AskForm(_Wishing):
    """The Centre asks a source."""

    audience = Several(label=_("To whom"), help_text=_("Several: hold Ctrl or Command."))
    purposes = forms.MultipleChoiceField(
        label=_("For which purposes beyond what it agreed to"), required=False, choices=[],
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    is_standing = forms.BooleanField(
        label=_("Also for what it hands over later under the same handling set"), required=False
    )
    until = Day(label=_("Until and including"), help_text=_("At most a year. Until 23:59:59 UTC of this day."))
    reason = _text(_("Why"), _("The source reads this. It learns to whom it would go, and not which person asked."))

    def __init__(self, *args: Any, purposes: Collection[str], today: date, **said: Any) -> None:
        super().__init__(*args, **said)
        self.initial.setdefault("until", today + USUAL_TERM)
        groups, countries, organisations = audience_choices()
        everybody = (_("Everybody"), [(PUBLIC, PUBLIC_NAME)])
        self.fields["audience"].choices = [groups, everybody, countries, organisations]  # type: ignore[attr-defined]
        beyond = [(word, name) for word, name in words.PURPOSES.items() if word not in purposes]
        self.fields["purposes"].choices = beyond  # type: ignore[attr-defined]


class BureauForm(_Wishing):
    """A bureau asks for units of its own."""

    audience = forms.MultipleChoiceField(label=_("Which of your units"), widget=forms.CheckboxSelectMultiple)
    purposes = forms.MultipleChoiceField(required=False, choices=[], widget=forms.MultipleHiddenInput)
    until = Day(label=_("Until and including"), help_text=_("At most a year. Until 23:59:59 UTC of this day."))
    reason = _text(_("Why"), _("The Centre reads this, and asks the source in words of its own."))

    def __init__(self, *args: Any, units: Iterable[tuple[str, str]], today: date, **said: Any) -> None:
        super().__init__(*args, **said)
        self.initial.setdefault("until", today + USUAL_TERM)
        self.fields["audience"].choices = list(units)  # type: ignore[attr-defined]


class AnswerForm(_Wishing):
    """A source permits the whole of what was asked, or less."""

    audience = forms.MultipleChoiceField(label=_("To whom"), required=False, widget=forms.CheckboxSelectMultiple)
    purposes = forms.MultipleChoiceField(label=_("Purposes"), required=False, widget=forms.CheckboxSelectMultiple)
    is_standing = forms.BooleanField(
        label=_("Also for what we hand over later under the same handling set"), required=False
    )
    until = Day(label=_("Until and including"))
    text = _text(_("Conditions or remarks"), required=False)

    def __init__(self, *args: Any, asked: Permission, **said: Any) -> None:
        super().__init__(*args, **said)
        self.initial.update(audience=asked.audience, purposes=asked.purposes, is_standing=False, until=asked.until)
        names = zip(asked.audience, entry_names(asked.audience), strict=True)
        self.fields["audience"].choices = list(names)  # type: ignore[attr-defined]
        purposes = [(word, words.PURPOSES.get(word, word)) for word in asked.purposes]
        self.fields["purposes"].choices = purposes  # type: ignore[attr-defined]
        for name, is_asked in (("audience", asked.audience), ("purposes", asked.purposes)):
            if not is_asked:
                del self.fields[name]
        if not asked.is_standing:
            del self.fields["is_standing"]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        return {"audience": [], "purposes": [], **said}
