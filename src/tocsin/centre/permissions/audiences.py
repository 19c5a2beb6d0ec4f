"""Whom an audience can name, as people choose it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tocsin.centre.members import admission
from tocsin.centre.members.models import Organisation
from tocsin.handling.deriving import ALL_MEMBERS
from tocsin.reference.countries import country
from tocsin.reference.members import members

from .labels import CLASSES, entry_names

Choices = list[tuple[str, str | Promise]]


def audience_choices() -> list[tuple[str | Promise, Choices]]:
    """Everything that an audience can name, in groups."""
    language = get_language() or "en"
    lands = [country(each.code) for each in members(timezone.now().date())]
    codes = [f"country:{each.code}" for each in sorted(lands, key=lambda each: each.name(language))]
    others = Organisation.objects.filter(is_active=True, is_centre=False)
    organisations: Choices = list(others.values_list("slug", "name"))
    return [
        (_("Groups"), [(ALL_MEMBERS, _("All member bureaus")), *((f"class:{k}", v) for k, v in CLASSES.items())]),
        (_("Countries"), list(zip(codes, entry_names(codes), strict=True))),
        (_("Organisations"), organisations),
    ]


def names_anybody(entries: Collection[str], at: datetime) -> bool:
    """Whether it names, beside the Centre, an organisation of which somebody may come in at this moment. Empty: it
    names nobody, and what that means is for the caller."""
    named = set(entries)
    return any(
        named & {each.slug, f"country:{each.country}", f"class:{each.class_name}"}
        or (each.is_bureau and ALL_MEMBERS in named)
        for each in admission.admitted_among(admission.all_organisations(), at)
        if not each.is_centre
    )


class Several(forms.MultipleChoiceField):
    """Some of a long list, in a box that scrolls."""

    def __init__(self, **said: Any) -> None:
        super().__init__(
            required=False, widget=forms.SelectMultiple(attrs={"class": "form-control", "size": 8}), **said
        )
