"""What people fill in about themselves."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from tocsin.core.names import plain_name

from .models import Person


class Name(forms.CharField):
    """What somebody or something is called, as it can be seen: what is invisible or turns the direction falls away."""

    def __init__(self, **said: Any) -> None:
        said.setdefault("widget", forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"}))
        super().__init__(**said)

    def to_python(self, value: Any) -> str:
        return plain_name(super().to_python(value) or "")


class SignInForm(forms.Form):
    """Login and password. Whether they fit is the service's matter."""

    login = forms.CharField(
        label=_("Login"),
        max_length=120,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autofocus": True, "dir": "ltr", "spellcheck": "false"}
        ),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "dir": "ltr"}),
    )


def _for_code(is_first: bool = True) -> forms.TextInput:
    signs = {"autocomplete": "one-time-code", "dir": "ltr", "spellcheck": "false", "autocapitalize": "off"}
    return forms.TextInput(attrs=signs | ({"autofocus": True} if is_first else {}))


class SecondStepForm(forms.Form):
    """What is asked after the password."""

    code = forms.CharField(label=_("Code of your app, or a recovery code"), max_length=60, widget=_for_code())


class AppForm(forms.Form):
    """The first code of a new app: it shows that the secret arrived."""

    code = forms.CharField(label=_("Code that the app shows now"), max_length=60, widget=_for_code())


class ProofForm(forms.Form):
    """Password and second factor once more; a passkey may stand for either, a provider for the password."""

    password = forms.CharField(
        label=_("Password"), max_length=1024, strip=False, required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "dir": "ltr"}),
    )  # fmt: skip
    code = forms.CharField(
        label=_("Code of your app, or a recovery code"), max_length=60, required=False, widget=_for_code(False)
    )

    def __init__(self, has_factor: bool, needs_password: bool, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not needs_password:
            del self.fields["password"]
        if not has_factor:
            del self.fields["code"]


class PasskeyForm(forms.Form):
    """What a new passkey is called."""

    name = Name(
        label=_("Name of the passkey"), max_length=80, help_text=_("Such as: my phone, blue security key.")
    )  # fmt: skip


class PasswordForm(forms.Form):
    """The old password and twice the new one."""

    old = forms.CharField(
        label=_("Present password"), strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "dir": "ltr"}),
    )  # fmt: skip
    new = forms.CharField(
        label=_("New password"), strip=False, help_text=_("At least 12 characters. A few unrelated words are good."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "dir": "ltr"}),
    )  # fmt: skip
    again = forms.CharField(
        label=_("New password once more"), strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "dir": "ltr"}),
    )  # fmt: skip

    def __init__(self, person: Person, fits: Callable[[str], bool], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person
        self.fits = fits

    def clean_old(self) -> str:
        old: str = self.cleaned_data["old"]
        if not self.fits(old):
            raise ValidationError(_("This is not your present password."))
        return old

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        new, again = said.get("new"), said.get("again")
        if new and again and new != again:
            self.add_error("again", _("The two new passwords differ."))
        if new:
            try:
                validate_password(new, self.person)
            except ValidationError as error:
                self.add_error("new", error)
        return said


def _zones() -> list[tuple[str, str]]:
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in names)]


class PreferencesForm(forms.Form):
    """Language and time zone."""

    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=_zones, help_text=_("Dates and times are shown in it."))
