"""Handing files over on a page, and teaching a column map for a table with an unknown header."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from tocsin.centre.members import agreements, allowances
from tocsin.centre.members.access import person_of, requires
from tocsin.centre.members.limits import TooOften
from tocsin.centre.members.models import Organisation, Person
from tocsin.centre.members.rules import may
from tocsin.centre.reasons import sentence
from tocsin.core.errors import Conflict, InputError, NotFound, Unavailable
from tocsin.core.profiles import Profile
from tocsin.core.words import EventType, Role
from tocsin.formats.delimited import Guess
from tocsin.reference.feeds import all_feeds

from .. import deliveries as selectors
from .. import labels, mapping, originals, pending, profiles, services, store
from ..forms import LABELS, UploadForm
from ..models import Delivery, SavedProfile
from .deliveries import of_receipt

PREVIEW_ROWS = 12
MANY_FILES = 50


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file that was chosen."""

    name: str
    url: str = ""
    message: str = ""
    is_duplicate: bool = False
    status: int = 200
    again_seconds: int = 0
    """After which the file may be sent again; 0: it is of no use."""
    limit: TooOften | None = None
    """Which turned it away, if any did."""


def organisations_of(person: Person) -> QuerySet[Organisation]:
    """On whose behalf the person may hand over."""
    if may(person, "deliver-for-others"):
        return Organisation.objects.filter(is_active=True).order_by("-is_centre", "is_bureau", "name")
    return Organisation.objects.filter(pk=person.organisation_id)


def _maps(organisations: QuerySet[Organisation]) -> list[tuple[str, object]]:
    saved = SavedProfile.objects.filter(organisation__in=organisations).order_by("name")
    names = [(name, name) for name in dict.fromkeys(saved.values_list("name", flat=True))]
    groups: list[tuple[str, object]] = []
    if names:
        groups.append((_("Saved maps"), names))
    groups.append((_("Public feeds"), [(feed.slug, feed.title) for feed in all_feeds()]))
    return groups


def _form(person: Person, *data: Any) -> UploadForm:
    organisations = organisations_of(person)
    initial = {"organisation": person.organisation.slug}
    return UploadForm(*data, organisations=organisations, maps=_maps(organisations), initial=initial)


@requires("deliver")
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """Choose files and hand them over. Programs of the page ask for JSON and send one file at a time."""
    person = person_of(request)
    wants_json = "application/json" in request.headers.get("Accept", "")
    results: list[Result] = []
    form = _form(person, request.POST) if request.method == "POST" else _form(person)
    if request.method == "POST":
        files = request.FILES.getlist("files")[:MANY_FILES]
        if form.is_valid() and files:
            results = [_receive(person, form.cleaned_data, file) for file in files]
            for each in results:
                if each.limit is not None:
                    allowances.note(each.limit, request, timezone.now())
        elif not files:
            form.add_error(None, _("Choose at least one file."))
        if wants_json:
            return _later(_as_json(form, results), results)
    context = {
        "form": form,
        "results": results,
        "can_map": may(person, "map-columns"),
        "chooses_organisation": may(person, "deliver-for-others"),
        "refusal": agreements.refusal_of(person.organisation, timezone.now()),
    }
    return _later(render(request, "intake/upload.html", context), results)


def _later(response: HttpResponse, results: list[Result]) -> HttpResponse:
    """The same, saying when to come again where a file was turned away for now."""
    for each in results:
        if each.again_seconds:
            response.status_code = each.status
            response["Retry-After"] = str(each.again_seconds)
        if each.limit is not None:
            each.limit.tell(response)
    return response


def _receive(person: Person, said: dict[str, Any], file: UploadedFile[Any]) -> Result:
    name = file.name or "delivery"
    organisation = said["organisation"]
    profile = profiles.named(said["profile"], organisation) if said["profile"] else None
    if said["profile"] and profile is None:
        return Result(name, message=_("This column map was saved for another organisation."))
    try:
        made = services.receive(
            organisation=organisation, via=Delivery.Via.PAGE, name=name, chunks=file.chunks(), at=timezone.now(),
            person=person, profile=profile, marking=said["marking"], grade=said["grade"], priority=5,
            urgent=said["urgent"],
        )  # fmt: skip
    except InputError as error:
        return Result(name, message=sentence(error.reason))
    except TooOften as limit:
        text = ngettext(
            "It was not taken: a limit of your organisation is reached. Send it again in %(minutes)d minute.",
            "It was not taken: a limit of your organisation is reached. Send it again in %(minutes)d minutes.",
            limit.minutes,
        ) % {"minutes": limit.minutes}  # fmt: skip
        return Result(name, message=text, status=429, again_seconds=limit.seconds, limit=limit)
    except Unavailable as short:
        text = _("Not now. Try again in a moment.")
        return Result(name, message=text, status=503, again_seconds=short.retry_after_seconds)
    return Result(name, reverse("delivery", args=[made.receipt]), is_duplicate=made.state == "duplicate")


def _as_json(form: UploadForm, results: list[Result]) -> JsonResponse:
    errors = [str(error) for listed in form.errors.values() for error in listed]
    said = {True: _("The same bytes were here already."), False: _("Received. Its receipt follows what becomes of it.")}
    body = {
        "errors": errors,
        "results": [
            {
                "name": each.name, "url": each.url, "label": _("Receipt"), "received": bool(each.url),
                "message": each.message or said[each.is_duplicate],
            }
            for each in results
        ],
    }  # fmt: skip
    return JsonResponse(body, status=400 if errors else 200)


@requires("map-columns")
@require_POST
def map_columns(request: HttpRequest) -> HttpResponse:
    """Take one table for a look at its columns; it is not a delivery before its map is confirmed."""
    person = person_of(request)
    form = _form(person, request.POST)
    files = request.FILES.getlist("files")
    if not form.is_valid() or len(files) != 1:
        messages.error(request, _("Choose exactly one table to look at its columns."))
        return redirect("upload")
    said = form.cleaned_data
    try:
        kept = pending.keep(
            request.session, files[0].chunks(), name=files[0].name or "table",
            organisation=said["organisation"].slug, marking=said["marking"], grade=said["grade"],
        )  # fmt: skip
        mapping.guess_file(kept.path, kept.name)
    except InputError as error:
        messages.error(request, _no_table(error))
        return redirect("upload")
    return redirect("map-columns-table", kept.token)


@requires("map-columns")
@require_POST
@of_receipt
def map_columns_of(request: HttpRequest, found: Delivery) -> HttpResponse:
    """The same for a delivery that was set aside."""
    person = person_of(request)
    if found.state != Delivery.State.QUARANTINED or not selectors.may_read_contents(person, found):
        raise NotFound
    path = store.delivery_path(services.store_folder(), found.sha256)
    try:
        kept = pending.keep(
            request.session, originals.pieces(path), name=found.name, organisation=found.organisation.slug,
            marking=found.stated_marking, receipt=found.receipt,
        )  # fmt: skip
        mapping.guess_file(kept.path, kept.name)
    except (InputError, FileNotFoundError) as error:
        messages.error(request, _no_table(error))
        return redirect("delivery", found.receipt)
    return redirect("map-columns-table", kept.token)


def _no_table(error: Exception) -> str:
    if isinstance(error, InputError) and error.reason != "unknown-format":
        return sentence(error.reason)
    return _("There is no table in this file: rows with the same number of cells were not found.")


@requires("map-columns")
@require_http_methods(["GET", "HEAD", "POST"])
def map_columns_table(request: HttpRequest, token: str) -> HttpResponseBase:
    """Every column with its guessed meaning, what the first rows become, and saving the map."""
    try:
        table = pending.find(request.session, token)
        sample = mapping.sample_of_file(table.path, table.name)
        found = mapping.guess_sample(sample)
    except (NotFound, InputError):
        raise Http404 from None
    changed = MapForm.of(request, found.guess, table)
    if request.method == "POST" and request.POST.get("act") == "save" and changed.can_save(sample):
        return _save(request, table, changed, found.fingerprint)
    context = {
        "table": table,
        "organisation_name": Organisation.objects.get(slug=table.organisation).name,
        "columns": changed.columns(found.guess),
        "choices": choices(),
        "roles": [role.value for role in Role],
        "types": [word.value for word in EventType],
        "labels": LABELS,
        "form": changed,
        **changed.preview(sample),
    }
    partial = request.headers.get("HX-Target") == "preview"
    return render(request, "intake/_preview.html" if partial else "intake/map_columns.html", context)


def choices() -> list[tuple[str, list[tuple[str, object]]]]:
    """What a column may mean: one of ours, a further value of some kind, or nothing but a remark."""
    further = [(f"+{kind}", name) for kind, name in labels.KINDS.items() if kind not in {"name", "other"}]
    return [
        (_("Meaning"), list(labels.COLUMNS.items())),
        (_("One more value in the same row"), [("+", _("of any kind")), *further]),
    ]


@dataclass(slots=True)
class MapForm:
    """A guessed profile with a person's changes, and what is wrong with them."""

    profile: Profile
    meanings: dict[int, str]
    name: str
    error: str = ""

    @classmethod
    def of(cls, request: HttpRequest, guess: Guess, table: pending.Pending) -> MapForm:
        """The guess as it is, or as the form changed it."""
        guessed = {column.index: column.draft for column in guess.columns}
        if request.method != "POST":
            name = f"{table.name.rpartition('.')[0] or table.name}"[:120]
            return cls(replace(guess.profile, marking=table.marking), guessed, name)
        said = request.POST
        meanings = {index: said.get(f"column-{index}", draft) for index, draft in guessed.items()}
        allowed = {key for _, entries in choices() for key, _ in entries}
        meanings = {index: word if word in allowed else "" for index, word in meanings.items()}
        columns, further = _places(guess, meanings)
        defaults = {
            key: said[f"default-{key}"] for key, words in (("role", Role), ("type", EventType))
            if said.get(f"default-{key}", "") in set(words)
        }  # fmt: skip
        marking = said.get("marking", "") if said.get("marking", "") in {key for key, _ in LABELS} else ""
        profile = profiles.from_form(guess.profile, columns, defaults, marking)
        profile = replace(
            profile, further=further, day_first=said.get("day_first") == "on", name=said.get("name", "").strip()[:120]
        )
        return cls(profile, meanings, profile.name)

    def columns(self, guess: Guess) -> list[dict[str, Any]]:
        """Each column of the table as the page shows it."""
        return [
            {
                "index": column.index,
                "name": column.name,
                "examples": column.examples,
                "guessed": column.draft,
                "chosen": self.meanings.get(column.index, ""),
                "confidence": column.confidence if column.draft else 0.0,
            }
            for column in guess.columns
        ]

    def preview(self, sample: Any) -> dict[str, Any]:
        """What the first rows become with these choices."""
        # Without any column the reader would guess anew, and the page would show what nobody chose.
        if not mapping.reads_values(self.profile):
            return {"rows": [], "rejections": [], "failure": _("Say which column holds the value itself.")}
        try:
            rows, rejections = mapping.preview(sample, self.profile)
        except InputError as error:
            return {"rows": [], "rejections": [], "failure": sentence(error.reason)}
        return {
            "rows": rows[:PREVIEW_ROWS],
            "rows_count": len(rows),
            "rejections": rejections[:PREVIEW_ROWS],
            "rejections_count": len(rejections),
        }

    def can_save(self, sample: Any) -> bool:
        """Whether it has a name and reads anything; says what is missing otherwise."""
        drafts = list(self.meanings.values())
        twice = {word for word in drafts if word and not word.startswith("+") and drafts.count(word) > 1}
        if twice:
            shown = ", ".join(str(labels.COLUMNS.get(word, word)) for word in sorted(twice))
            self.error = _("Two columns have the same meaning: %(names)s. Choose another for one.") % {"names": shown}
        elif not self.name:
            self.error = _("Give the map a name, so that it can be found again.")
        else:
            seen = self.preview(sample)
            self.error = seen.get("failure", "") or (
                "" if seen["rows"] else _("No row of the beginning could be read.")
            )
        return not self.error


def _places(guess: Guess, meanings: dict[int, str]) -> tuple[dict[str, str | int], dict[str, str | int]]:
    names = [column.name for column in guess.columns]
    columns: dict[str, str | int] = {}
    further: dict[str, str | int] = {}
    for column in guess.columns:
        word = meanings[column.index]
        unique = guess.profile.header and column.name and names.count(column.name) == 1
        place: str | int = column.name if unique else column.index
        if word.startswith("+"):
            key = word[1:]
            while key in further or not key:
                key += "*"  # A key may stand once; the reader takes the stars off again.
            further[key] = place
        elif word:
            columns[word] = place
    return columns, further


def _save(request: HttpRequest, table: pending.Pending, form: MapForm, fingerprint: str) -> HttpResponse:
    """Remember the map for the partner, then hand the table over with it."""
    person = person_of(request)
    organisation = Organisation.objects.get(slug=table.organisation)
    now = timezone.now()
    profiles.save(
        organisation=organisation, name=form.name, profile=form.profile, fingerprint=fingerprint, by=person, at=now
    )
    messages.success(request, _("The map was saved: the next file with this header is read the same way."))
    if table.receipt:
        found = selectors.delivery_for(person, table.receipt)
        try:
            services.read_again(found, by=person, profile=form.profile, at=now)
        except Conflict:
            messages.error(request, _("Somebody else decided meanwhile. Look again."))
        pending.drop(request.session, table)
        return redirect("delivery", found.receipt)
    try:
        made = services.receive(
            organisation=organisation, via=Delivery.Via.PAGE, name=table.name, chunks=store.read_chunks(table.path),
            at=now, person=person, profile=form.profile, marking=table.marking, grade=table.grade, priority=5,
        )  # fmt: skip
    except InputError as error:
        messages.error(request, sentence(error.reason))
        return redirect("map-columns-table", table.token)
    pending.drop(request.session, table)
    return redirect("delivery", made.receipt)
