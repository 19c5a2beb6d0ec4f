"""What people fill in to send a circular, and to check one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tocsin.centre.permissions.audiences import Several
from tocsin.core.words import Tlp
from tocsin.reference.countries import country, regions

from .rules import Addressees
from .services import LABELS, LONGEST_REASON, LONGEST_SUBJECT, LONGEST_TEXT, bureaus


class CircularForm(forms.Form):
    """What is said, to whom, under which label."""

    subject = forms.CharField(label=_("Subject"), max_length=LONGEST_SUBJECT)
    text = forms.CharField(
        label=_("Message"), max_length=LONGEST_TEXT, widget=forms.Textarea(attrs={"rows": 10, "dir": "auto"})
    )
    file = forms.FileField(
        label=_("File"), required=False, help_text=_("Optional. In any format that can be handed over.")
    )
    tlp = forms.ChoiceField(label=_("Sharing label"), choices=[(each.value, each.value) for each in LABELS])
    is_everybody = forms.BooleanField(label=_("To all member bureaus"), required=False)
    countries = Several(label=_("To the bureaus of these countries"))
    regions = Several(label=_("To every bureau of these regions"))
    except_countries = Several(
        label=_("But not to these"),
        help_text=_("Nor to anything below them. Nobody else learns who was left out."),
    )

    def __init__(self, *args: Any, own: str, **said: Any) -> None:
        super().__init__(*args, **said)
        language = get_language() or "en"
        known = sorted((country(code).name(language), code) for code in bureaus() if code != own)
        places = [each for each in regions() if each.level != "world" and set(each.countries) & {c for _n, c in known}]
        for name in ("countries", "except_countries"):
            field = self.fields[name]
            assert isinstance(field, Several)
            field.choices = [(code, label) for label, code in known]
        field = self.fields["regions"]
        assert isinstance(field, Several)
        field.choices = [(each.code, each.name(language)) for each in places]

    @property
    def chosen(self) -> Addressees:
        """To whom, once the form is valid."""
        said = self.cleaned_data
        return Addressees(
            is_everybody=said["is_everybody"], countries=tuple(said["countries"]), regions=tuple(said["regions"]),
            except_countries=tuple(said["except_countries"]),
        )  # fmt: skip

    @property
    def label(self) -> Tlp:
        """The sharing label, once the form is valid."""
        return Tlp(self.cleaned_data["tlp"])


class CheckForm(forms.Form):
    """The compliance check's answer."""

    reason = forms.CharField(
        label=_("Reason"), max_length=LONGEST_REASON, widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text=_("Its sender reads this."),
    )  # fmt: skip
