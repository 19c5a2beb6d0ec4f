"""The grades of one delivery: as given, as its source changed them, and the Centre's evaluation beside them."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError, NotFound

from .. import grades
from ..models import Batch, Delivery, Grading
from ..selectors import visible_batches
from .deliveries import of_receipt

ALL = "all"


class GradeForm(forms.Form):
    """A grade for one part or for all, with the reason."""

    part = forms.ChoiceField(label=gettext_lazy("Part"))
    grade = forms.CharField(
        label=gettext_lazy("Grade"), max_length=20,
        widget=forms.TextInput(attrs={"dir": "ltr", "autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("Such as 4x4:B2, Admiralty:B2 or 3x5x2:1AP."),
    )  # fmt: skip
    note = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=grades.LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
    )

    def __init__(self, *args: object, parts: list[Batch], **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        field = self.fields["part"]
        assert isinstance(field, forms.ChoiceField)
        named = [(str(each.pk), name_of(place, each)) for place, each in enumerate(parts, 1)]
        field.choices = [(ALL, _("All parts")), *named] if len(named) > 1 else named


def name_of(place: int, batch: Batch) -> str:
    """How a part is told from others."""
    return _("Part %(number)d: %(label)s, graded %(grade)s") % {
        "number": place, "label": batch.handling_set.tlp, "grade": grades.shown_grade(batch).replace(":", " "),
    }  # fmt: skip


def _kind_for(person: Person, found: Delivery) -> str:
    """As what the person may grade it; empty: not at all."""
    if grades.may_regrade(person, found):
        return str(Grading.Kind.SOURCE)
    return str(Grading.Kind.CENTRE) if grades.may_evaluate(person) else ""


@requires("read")
@require_http_methods(["GET", "HEAD", "POST"])
@of_receipt
def delivery_grades(request: HttpRequest, found: Delivery) -> HttpResponse:
    """What was said of each part, by whom and when; with a form for who may say more."""
    person = person_of(request)
    seen = visible_batches(viewer_of(person)).filter(delivery=found)
    parts = list(seen.select_related("handling_set", "organisation").order_by("pk"))
    if not parts:
        raise NotFound
    kind = _kind_for(person, found)
    form = GradeForm(request.POST or None, parts=parts)
    if request.method == "POST":
        if not kind:
            raise NotFound
        if form.is_valid() and _given(request, person, kind, form, parts):
            return redirect("delivery-grades", found.receipt)
    context = {
        "delivery": found,
        "parts": grades.graded(parts, person),
        "kind": kind,
        "form": form,
        "sees_evaluations": grades.sees_evaluations(person),
        "usual": str(grades.usual_of(found.organisation)),
    }
    return render(request, "intake/grades.html", context, status=422 if form.errors else 200)


def _given(request: HttpRequest, person: Person, kind: str, form: GradeForm, parts: list[Batch]) -> bool:
    said = form.cleaned_data
    chosen = parts if said["part"] == ALL else [each for each in parts if str(each.pk) == said["part"]]
    act = grades.regrade if kind == Grading.Kind.SOURCE else grades.evaluate
    try:
        count = act(chosen, said["grade"], note=said["note"], by=person, at=timezone.now())
    except InputError as error:
        form.add_error(error.field if error.field in form.fields else None, sentence(error.reason))
        return False
    if not count:
        messages.info(request, _("This is what was said before: nothing changed."))
    else:
        text = ngettext("The grade of %(count)d part was kept.", "The grades of %(count)d parts were kept.", count)
        messages.success(request, text % {"count": count})
    return True
