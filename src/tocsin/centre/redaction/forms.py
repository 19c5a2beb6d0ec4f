"""What people fill in to make a redacted version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from .labels import GROUPS

ARROW = "=>"
MOST_REPLACED = 50


class RedactionForm(forms.Form):
    """What to take out, what to write instead, and why."""

    thing = forms.MultipleChoiceField(label=_("Objects"), required=False, widget=forms.CheckboxSelectMultiple)
    out = forms.MultipleChoiceField(label=_("Take out"), required=False, widget=forms.CheckboxSelectMultiple)
    replaced = forms.CharField(
        label=_("Write instead"), required=False, max_length=20_000, strip=False,
        help_text=_("One text a line, as: what stands there => what to write. It is replaced wherever it stands."),
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto", "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    reason = forms.CharField(
        label=_("Why"), max_length=1_000, widget=forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"})
    )

    def __init__(self, *args: Any, **said: Any) -> None:
        things: Iterable[tuple[str, str]] = said.pop("things", ())
        fields: Iterable[str] | None = said.pop("names", None)
        super().__init__(*args, **said)
        if fields is None:
            del self.fields["thing"]
            self.fields["out"].choices = list(GROUPS.items())  # type: ignore[attr-defined]
        else:
            self.fields["thing"].choices = list(things)  # type: ignore[attr-defined]
            self.fields["out"].choices = [(name, name) for name in fields]  # type: ignore[attr-defined]

    def clean_replaced(self) -> list[tuple[str, str]]:
        """Each line as what stands there and what to write."""
        lines = [line for line in self.cleaned_data["replaced"].splitlines() if line.strip()]
        if len(lines) > MOST_REPLACED or any(ARROW not in line for line in lines):
            raise forms.ValidationError(_("Write each line as: what stands there => what to write. At most 50 lines."))
        pairs = (line.partition(ARROW) for line in lines)
        return [(old.strip(), new.strip()) for old, _arrow, new in pairs]
