"""Pages of country packages: list, ask for new ones, take one away."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from tocsin.centre.jobs.models import Job
from tocsin.centre.members.access import costs, is_fresh, person_of, prove, requires
from tocsin.centre.members.doors import while_here
from tocsin.centre.members.limits import Kind
from tocsin.centre.members.models import Person
from tocsin.centre.members.rules import may
from tocsin.centre.pages import newest_first
from tocsin.centre.reasons import sentence
from tocsin.core.errors import InputError, NotFound
from tocsin.reference.countries import country
from tocsin.reference.members import members

from .forms import PackageForm
from .selectors import countries_for, derived_of, file_of, given_out, package_for, packages_for
from .services import MAKE, hand_out, request_packages

PER_PAGE = 25


@requires("package")
@require_safe
def package_list(request: HttpRequest) -> HttpResponse:
    """Packages that this person may have, newest first, and the form to ask for more."""
    person = person_of(request)
    codes = countries_for(person)
    if not codes:
        raise Http404
    packages = packages_for(person)
    chosen = request.GET.get("country", "").upper()
    if chosen:
        packages = packages.filter(country=chosen)
    page = newest_first(packages, request.GET.get("after", ""), PER_PAGE)
    language = get_language() or "en"
    open_ones = given_out(page.rows, timezone.now())
    rows = [(each, country(each.country).name(language), each.pk in open_ones) for each in page.rows]
    waiting = Job.objects.filter(kind=MAKE, state__in=[Job.State.WAITING, Job.State.RUNNING]).order_by("pk")
    context = {
        "page": page,
        "rows": rows,
        "chosen": chosen,
        "form": _form(person, codes, initial={"country": chosen or codes[0]}),
        # What the Centre has under way for others is not a bureau's business.
        "waiting": waiting if person.organisation.is_centre else waiting.filter(subject__in=codes),
    }
    return render(request, "release/package_list.html", context)


@requires("package")
@require_http_methods(["POST"])
def package_create(request: HttpRequest) -> HttpResponse:
    """Put the making of packages into the queue."""
    person = person_of(request)
    codes = countries_for(person)
    if not codes:
        raise Http404
    form = _form(person, codes, data=request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a country and a span."))
        return redirect("package-list")
    now = timezone.now()
    chosen = form.cleaned_data["country"]
    wanted = [member.code for member in members(now.date())] if chosen == "*" else [chosen]
    try:
        request_packages(wanted, *form.span(now), person, now)
    except InputError as error:
        messages.error(request, sentence(error.reason))
    else:
        messages.success(request, _("The package is being made. It will be listed here when it is ready."))
    return redirect("package-list")


@requires("package")
@require_safe
def package_page(request: HttpRequest, number: str) -> HttpResponse:
    """What holds for a package, and why."""
    person, now = person_of(request), timezone.now()
    try:
        package = package_for(person, number, now)
    except NotFound:
        raise Http404 from None
    context = {
        "package": package,
        "country": country(package.country).name(get_language() or "en"),
        "derived": derived_of(package, person, now),
        "links_alerts": may(person, "respond") and not person.organisation.is_centre,
    }
    return render(request, "release/package.html", context)


@requires("package")
@costs(Kind.DOWNLOADS)
@require_safe
def package_download(request: HttpRequest, number: str) -> HttpResponseBase:
    """The archive itself. Who took it, and when, is recorded before the first byte leaves."""
    person = person_of(request)
    try:
        package = package_for(person, number, timezone.now())
    except NotFound:
        raise Http404 from None
    if not file_of(package).is_file():
        raise Http404
    if not is_fresh(request):
        return prove(request.get_full_path())
    is_taken = request.method == "GET"
    copy = hand_out(package, person, "page", timezone.now(), is_taken=is_taken)
    pieces = while_here(request, copy.pieces, lambda: package_for(person, number, timezone.now()))
    response = StreamingHttpResponse(pieces if is_taken else (), content_type="application/zip")
    response["Content-Length"] = str(copy.size_bytes)
    response["Content-Disposition"] = f'attachment; filename="{copy.name}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _form(person: Person, codes: list[str], **options: object) -> PackageForm:
    language = get_language() or "en"
    return PackageForm(codes=codes, language=language, with_all=person.organisation.is_centre, **options)
