"""What an administrator fills in about an organisation's provider; and what people say to be led to theirs."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from tocsin.credentials.saml import NAME_ID

from . import providers
from .models import Organisation, Provider

TECHNICAL = {"dir": "ltr", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
_WORD = re.compile(r"[!-~]{1,200}")
FACTOR_WORDS_MOST = 20


class WhoForm(forms.Form):
    """By the login the portal finds the provider."""

    login = forms.CharField(
        label=_("Login"), max_length=120,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autofocus": True, "dir": "ltr", "spellcheck": "false"}
        ),
    )  # fmt: skip


class _ProviderForm(forms.Form):
    """What holds for both kinds."""

    counts_as_factor = forms.BooleanField(
        label=_("A second factor shown to the provider counts here"), required=False,
    )  # fmt: skip
    factor_words = forms.CharField(
        label=_("What the provider says then"), max_length=1000, required=False, widget=forms.TextInput(attrs=TECHNICAL)
    )
    is_only = forms.BooleanField(
        label=_("Its people come in by the provider only: passwords and passkeys let nobody in"), required=False,
    )  # fmt: skip

    def __init__(self, organisation: Organisation, provider: Provider | None, *args: Any, **said: Any) -> None:
        said.setdefault("initial", _initial(provider))
        super().__init__(*args, **said)
        self.provider = provider
        if organisation.is_centre:
            people = {str(each.pk): each for each in providers.administrators()}
            self.fields["break_glass"] = forms.TypedChoiceField(
                label=_("Administrator whose password goes on to count"), required=False, coerce=people.__getitem__,
                empty_value=None, choices=[("", "–"), *((key, each.name) for key, each in people.items())],
                help_text=_("For the day on which the provider fails. Keep that password in a safe."),
            )  # fmt: skip

    def clean_factor_words(self) -> tuple[str, ...]:
        words = tuple(dict.fromkeys(self.cleaned_data["factor_words"].replace(",", " ").split()))
        if len(words) > FACTOR_WORDS_MOST or not all(_WORD.fullmatch(word) for word in words):
            raise ValidationError(_("Write at most 20 words, with spaces between them."))
        return words

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("counts_as_factor") and not said.get("factor_words") and "factor_words" not in self.errors:
            self.add_error("factor_words", _("Say by which word a second factor is known."))
        if said.get("is_only") and "break_glass" in self.fields and not said.get("break_glass"):
            self.add_error("break_glass", _("Choose somebody, or nobody could come in when the provider fails."))
        return said


class OpenIdForm(_ProviderForm):
    """A provider of OpenID Connect."""

    kind = Provider.Kind.OPENID
    issuer = forms.CharField(
        label=_("Issuer"), max_length=400, widget=forms.URLInput(attrs=TECHNICAL),
        help_text=_("The provider's address as it writes it itself, such as https://login.example/realms/staff."),
    )  # fmt: skip
    client = forms.CharField(
        label=_("Client ID"), max_length=200, widget=forms.TextInput(attrs=TECHNICAL),
        help_text=_("How the provider names this portal."),
    )  # fmt: skip
    secret = forms.CharField(
        label=_("Client secret"), max_length=500, required=False, strip=True,
        widget=forms.PasswordInput(attrs={"dir": "ltr", "autocomplete": "new-password"}),
    )  # fmt: skip
    claim = forms.CharField(
        label=_("Claim that holds the login"), max_length=120, widget=forms.TextInput(attrs=TECHNICAL),
        help_text=_(
            "At somebody's first sign-in it must be the login of an account of this organisation; afterwards the "
            "provider's own number of the person counts. An email counts only where the provider verified it."
        ),
    )  # fmt: skip
    field_order = ("issuer", "client", "secret", "claim", "counts_as_factor", "factor_words", "is_only")

    def __init__(self, organisation: Organisation, provider: Provider | None, *args: Any, **said: Any) -> None:
        super().__init__(organisation, provider, *args, **said)
        self.order_fields([*self.field_order, "break_glass"])
        if self._has_secret():
            self.fields["secret"].help_text = _("One is kept and never shown. Leave this empty to keep it.")
        self.fields["factor_words"].help_text = _("Words of amr or acr, such as mfa, with spaces between them.")

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        is_same = self.provider is not None and said.get("issuer") == self.provider.issuer
        if not said.get("secret") and not (self._has_secret() and is_same):
            self.add_error("secret", _("Enter the secret that the provider gave this portal."))
        return said

    def _has_secret(self) -> bool:
        return bool(self.provider and self.provider.kind == Provider.Kind.OPENID and self.provider.sealed)


class SamlForm(_ProviderForm):
    """A provider of SAML 2.0."""

    kind = Provider.Kind.SAML
    metadata = forms.CharField(
        label=_("Metadata of the provider"), max_length=500_000, required=False,
        widget=forms.Textarea(attrs={**TECHNICAL, "rows": 8}),
        help_text=_("The whole XML that the provider publishes of itself: its entity id, address and certificates."),
    )  # fmt: skip
    claim = forms.CharField(
        label=_("Attribute that holds the login"), max_length=120, widget=forms.TextInput(attrs=TECHNICAL),
        help_text=_(
            "Name of an attribute, or NameID. At somebody's first sign-in it must be the login of an account of this "
            "organisation; afterwards the NameID counts, which must be persistent."
        ),
    )  # fmt: skip
    field_order = ("metadata", "claim", "counts_as_factor", "factor_words", "is_only")

    def __init__(self, organisation: Organisation, provider: Provider | None, *args: Any, **said: Any) -> None:
        super().__init__(organisation, provider, *args, **said)
        self.order_fields([*self.field_order, "break_glass"])
        if self._has_metadata():
            self.fields["metadata"].help_text = _("The provider's metadata is kept. Leave this empty to keep it.")
        else:
            self.initial["claim"] = NAME_ID
        self.fields["factor_words"].help_text = _(
            "Classes of the context (AuthnContextClassRef), with spaces between them, such as "
            "https://refeds.org/profile/mfa."
        )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if not said.get("metadata") and not self._has_metadata() and "metadata" not in self.errors:
            self.add_error("metadata", _("Paste the provider's metadata."))
        return said

    def _has_metadata(self) -> bool:
        return bool(self.provider and self.provider.kind == Provider.Kind.SAML)


FORMS: dict[str, type[OpenIdForm | SamlForm]] = {
    Provider.Kind.OPENID.value: OpenIdForm,
    Provider.Kind.SAML.value: SamlForm,
}


def _initial(provider: Provider | None) -> dict[str, object]:
    if provider is None:
        return {"claim": "preferred_username"}
    return {
        "issuer": provider.issuer, "client": provider.client, "claim": provider.claim, "is_only": provider.is_only,
        "break_glass": str(provider.break_glass_id or ""), "counts_as_factor": provider.counts_as_factor,
        "factor_words": " ".join(provider.factor_words),
    }  # fmt: skip
