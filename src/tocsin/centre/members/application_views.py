"""The form on which a would-be partner applies; open to everybody, so it says nothing but that it was received."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tocsin.reference.countries import all_countries

from . import applications, labels
from .forms import Name
from .sessions import TooManyFailures

_NUMBER = "application"


class ApplicationForm(forms.Form):
    """Who applies, and what it would hand over."""

    name = Name(label=_("Name of the organisation"), max_length=200)
    class_name = forms.ChoiceField(
        label=_("What it is"),
        choices=[(word, labels.CLASSES[word]) for word in applications.CLASSES],
    )
    country = forms.ChoiceField(label=_("Country of its seat"))
    website = forms.URLField(
        label=_("Website"), max_length=200, required=False, assume_scheme="https",
        widget=forms.URLInput(attrs={"dir": "ltr", "autocomplete": "off"}),
    )  # fmt: skip
    person = Name(label=_("Whom we may ask"), max_length=160)
    email = forms.EmailField(
        label=_("E-mail address"),
        max_length=200,
        widget=forms.EmailInput(attrs={"dir": "ltr", "autocomplete": "email"}),
    )
    data_types = forms.MultipleChoiceField(
        label=_("What may be handed over"), choices=list(labels.DATA_TYPES.items()), widget=forms.CheckboxSelectMultiple
    )
    reason = forms.CharField(
        label=_("What you know, and why you want to share it"), max_length=4000,
        widget=forms.Textarea(attrs={"rows": 5, "dir": "auto"}),
    )  # fmt: skip

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        language = get_language() or "en"
        countries = sorted(((each.code, each.name(language)) for each in all_countries()), key=lambda pair: pair[1])
        field = self.fields["country"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "–"), *countries]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def apply(request: HttpRequest) -> HttpResponse:
    """Ask, and give a number for what was asked."""
    number = request.session.pop(_NUMBER, "") if request.method == "GET" else ""
    form = ApplicationForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        said = applications.Application(**form.cleaned_data)
        try:
            number = applications.apply(said, address=request.META.get("REMOTE_ADDR", ""), at=timezone.now())
        except TooManyFailures as limit:
            status = 429
            text = ngettext(
                "Too many applications came in. Try again in %(minutes)s minute.",
                "Too many applications came in. Try again in %(minutes)s minutes.",
                limit.minutes,
            )
            form.add_error(None, text % {"minutes": limit.minutes})
        else:
            request.session[_NUMBER] = number
            return redirect(reverse("apply"))
    elif form.errors:
        status = 422
    return render(request, "members/apply.html", {"form": form, "number": number}, status=status)
