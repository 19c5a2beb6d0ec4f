"""What people fill in to write an alert: one form for both editions, and what it says as a draft."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.forms import BaseFormSet
from django.forms.boundfield import BoundField
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tocsin.centre.permissions.audiences import Several, audience_choices
from tocsin.core.words import Kind, Offence, Role, Tlp
from tocsin.handling.sets import PAP
from tocsin.products.alerts.draft import LONGEST_PASSAGE, LONGEST_TITLE, Draft, to_json
from tocsin.products.alerts.record import LANGUAGES, RIGHT_TO_LEFT, AlertType, Severity
from tocsin.reference.countries import all_countries

from . import labels

LISTS = ("recognise", "do_now", "never", "questions")
PASSAGES = ("title", "happening", "at_risk", "if_victim", "reason", "bottom_line", "facts", "assessment")
PUBLIC_FIELDS = ("title", "happening", "at_risk", "recognise", "do_now", "if_victim")
POLICE_FIELDS = ("bottom_line", "facts", "assessment", "likelihood", "confidence", "never", "questions", "contact",
                 "answer_by")  # fmt: skip
MOMENTS = ("onset", "expires", "answer_by", "embargo_until")
_MOMENT = "%Y-%m-%dT%H:%M"


def moment_field(name: str, hint: Any = "") -> forms.DateTimeField:
    """A moment in the reader's own zone."""
    widget = forms.DateTimeInput(format=_MOMENT, attrs={"type": "datetime-local"})
    return forms.DateTimeField(
        label=labels.FIELDS[name], required=False, input_formats=[_MOMENT, "%Y-%m-%dT%H:%M:%S"], widget=widget,
        help_text=hint,
    )  # fmt: skip


def passage(name: str, rows: int, hint: Any = "") -> forms.CharField:
    return forms.CharField(
        label=labels.FIELDS[name], required=False, max_length=LONGEST_PASSAGE, help_text=hint,
        widget=forms.Textarea(attrs={"rows": rows, "dir": "auto"}),
    )  # fmt: skip


ONE_EACH = _("One on each line.")


class TextForm(forms.Form):
    """The words of a version in one language: those of the source, or of a translation."""

    title = forms.CharField(
        label=labels.FIELDS["title"], required=False, max_length=LONGEST_TITLE,
        widget=forms.TextInput(attrs={"dir": "auto"}), help_text=_("At most 140 characters."),
    )  # fmt: skip
    happening = passage("happening", 6, _("Two or three short paragraphs. A blank line parts them."))
    at_risk = passage("at_risk", 3)
    recognise = passage("recognise", 5, ONE_EACH)
    do_now = passage("do_now", 5, _("One step on each line, the most important first."))
    if_victim = passage("if_victim", 4)
    reason = passage("reason", 2, _("The public reads it above the new text."))
    bottom_line = passage("bottom_line", 2, _("Two sentences: what it is, and what is asked."))
    facts = passage("facts", 6, _("What is known, and from what kind of source. No assessment here."))
    assessment = passage("assessment", 4, _("What you conclude. Likelihood and confidence stand in their own fields."))
    never = passage("never", 3, _("One on each line, such as: do not contact the host."))
    questions = passage("questions", 3, ONE_EACH)

    def texts(self) -> dict[str, Any]:
        """What was said, without tasks and texts of images."""
        said = self.cleaned_data
        found: dict[str, Any] = {name: _plain(said[name]) for name in PASSAGES}
        return found | {name: [line for line in map(str.strip, _plain(said[name]).splitlines()) if line]
                        for name in LISTS}  # fmt: skip


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def text_initial(texts: Mapping[str, Any]) -> dict[str, Any]:
    """What a form shows of texts as JSON."""
    found = {name: texts.get(name, "") for name in PASSAGES}
    return found | {name: "\n".join(" ".join(each.split("\n")) for each in texts.get(name, ())) for name in LISTS}


class DraftForm(TextForm):
    """All of a version that is not a row of something."""

    type = forms.ChoiceField(label=labels.FIELDS["type"])
    offence = forms.ChoiceField(label=labels.FIELDS["offence"], required=False)
    severity = forms.ChoiceField(label=labels.FIELDS["severity"], required=False)
    urgency = forms.ChoiceField(label=labels.FIELDS["urgency"], choices=list(labels.URGENCIES.items()), required=False)
    certainty = forms.ChoiceField(
        label=labels.FIELDS["certainty"], choices=list(labels.CERTAINTIES.items()), required=False
    )
    language = forms.ChoiceField(label=labels.FIELDS["language"], required=False)
    onset = moment_field("onset")
    expires = moment_field("expires", _("Afterwards it says of itself that it is over. An update can extend it."))
    countries = Several(label=labels.FIELDS["countries"], help_text=_("None chosen: all."))
    techniques = forms.CharField(
        label=labels.FIELDS["techniques"], required=False, max_length=2_000,
        help_text=_("Identifiers with a space between them, such as T1566.001."),
        widget=forms.TextInput(attrs={"dir": "ltr"}),
    )  # fmt: skip
    likelihood = forms.ChoiceField(
        label=labels.FIELDS["likelihood"], required=False, choices=[("", "–"), *labels.LIKELIHOODS.items()]
    )
    confidence = forms.ChoiceField(
        label=labels.FIELDS["confidence"], required=False, choices=[("", "–"), *labels.CONFIDENCES.items()]
    )
    contact = forms.CharField(label=labels.FIELDS["contact"], required=False, max_length=300)
    answer_by = moment_field("answer_by")
    is_public = forms.BooleanField(label=labels.FIELDS["is_public"], required=False)
    is_for_police = forms.BooleanField(label=labels.FIELDS["is_for_police"], required=False)
    tlp = forms.ChoiceField(label=labels.FIELDS["tlp"], required=False)
    audience = Several(label=labels.FIELDS["audience"])
    exclusions = Several(label=labels.FIELDS["exclusions"], help_text=_("Nobody else learns who was left out."))
    embargo_until = moment_field("embargo_until", _("The public edition waits until then."))

    def __init__(self, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        choices: dict[str, Sequence[Any]] = {
            "type": [(each.value, labels.word("type", each.value)) for each in AlertType],
            "offence": [(each.value, labels.word("offence", each.value)) for each in [Offence.NONE, *Offence][:-1]],
            "severity": [(each.value, labels.word("severity", each.value)) for each in Severity],
            "language": [(each, labels.language_name(each)) for each in LANGUAGES],
            "tlp": [("", _("As its sources say")), *((each.value, each.value) for each in Tlp)],
        }
        language = get_language() or "en"
        lands = sorted((each.name(language), each.code) for each in all_countries())
        choices["countries"] = [(code, name) for name, code in lands]
        choices["audience"] = choices["exclusions"] = audience_choices()
        for name, listed in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = self._with_own(name, listed)

    def _with_own(self, name: str, listed: Sequence[Any]) -> list[Any]:
        """What stands there already stays a choice, whatever the tables know today."""
        own = self.initial.get(name) or ()
        known = {code for entry in listed for code, _label in (entry[1] if isinstance(entry[1], list) else [entry])}
        own = [own] if isinstance(own, str) else own
        return [*listed, *((each, each) for each in own if each not in known)]

    def fields_of(self, *names: str) -> Iterator[BoundField]:
        yield from (self[name] for name in names)


class RowForm(forms.Form):
    """A row among others; a spare one in which only something of a list was chosen says nothing."""

    def has_changed(self) -> bool:
        if not self.empty_permitted:
            return super().has_changed()
        return any(not isinstance(self.fields[name], forms.ChoiceField) for name in self.changed_data)


class TaskForm(RowForm):
    """What a bureau is asked to do."""

    text = forms.CharField(label=_("Task"), max_length=2_000, widget=forms.TextInput(attrs={"dir": "auto"}))
    owner = forms.CharField(label=labels.FIELDS["owner"], max_length=200, required=False)
    due = moment_field("due")


class IndicatorForm(RowForm):
    """A technical value."""

    value = forms.CharField(label=_("Value"), max_length=2_000, widget=forms.TextInput(attrs={"dir": "ltr"}))
    kind = forms.ChoiceField(
        label=_("Kind"), choices=[(each.value, each.value) for each in Kind], initial=Kind.IPV4.value
    )
    role = forms.ChoiceField(
        label=_("Role"), choices=list(labels.ROLES.items()), required=False, initial=Role.UNKNOWN.value
    )
    grade = forms.CharField(label=_("Grade"), max_length=20, required=False)
    valid_until = moment_field("expires")
    note = forms.CharField(label=_("Note"), max_length=500, required=False)
    pap = forms.ChoiceField(label="PAP", choices=[(each, each) for each in PAP], required=False, initial="PAP:AMBER")
    is_marked = forms.BooleanField(label=_("Fit for the public"), required=False)
    has_consent = forms.BooleanField(label=_("Its source agreed that the public reads it"), required=False)
    batch = forms.IntegerField(required=False, widget=forms.HiddenInput)


class NamedForm(RowForm):
    """A person, for the police alone."""

    name = forms.CharField(label=_("Name"), max_length=300, widget=forms.TextInput(attrs={"dir": "auto"}))
    status = forms.CharField(label=_("What the person is in the case"), max_length=100)
    facts = forms.CharField(label=labels.FIELDS["facts"], max_length=2_000, required=False)
    country = forms.CharField(label=_("Country (two letters)"), max_length=2, required=False)


ROWS: dict[str, type[RowForm]] = {"tasks": TaskForm, "indicators": IndicatorForm, "persons": NamedForm}
SPARE = {"tasks": 2, "indicators": 3, "persons": 1}
MOST_ROWS = 2_100


def row_sets(draft: Draft, data: Mapping[str, Any] | None = None) -> dict[str, BaseFormSet[Any]]:
    """The rows of tasks, indicators and persons, with some spare ones; a row that is ticked off is left out."""
    content = to_json(draft)
    shown = {"tasks": content["texts"]["tasks"], "indicators": content["indicators"], "persons": content["persons"]}
    made = {}
    for name, form in ROWS.items():
        kind = forms.formset_factory(
            form, extra=SPARE[name], can_delete=True, absolute_max=MOST_ROWS, max_num=MOST_ROWS
        )
        initial = [{key: _readable(key, value) for key, value in row.items()} for row in shown[name]]
        made[name] = kind(data, initial=initial, prefix=name) if data is not None else kind(
            initial=initial, prefix=name
        )  # fmt: skip
    return made


def _readable(key: str, value: Any) -> Any:
    return timezone.localtime(datetime.fromisoformat(value)) if key in {"due", "valid_until"} and value else value


def initial_of(draft: Draft) -> dict[str, Any]:
    """What the form shows of a draft."""
    content = to_json(draft)
    found = text_initial(content["texts"])
    for name in ("type", "offence", "severity", "urgency", "certainty", "language", "countries", "likelihood",
                 "confidence", "contact", "is_public", "is_for_police"):  # fmt: skip
        found[name] = content[name]
    for name in MOMENTS:
        at = getattr(draft, name)
        found[name] = timezone.localtime(at) if at else None
    found["techniques"] = " ".join(draft.techniques)
    return found | {name: draft.label.get(name, "" if name == "tlp" else []) for name in ("tlp", "audience",
                                                                                         "exclusions")}  # fmt: skip


def content_of_form(form: DraftForm, sets: Mapping[str, BaseFormSet[Any]], former: Draft) -> dict[str, Any]:
    """The draft as JSON that was filled in over a former one. What the form does not show stays as it was."""
    said, before = form.cleaned_data, to_json(former)
    content = dict(before)
    for name in ("type", "offence", "severity", "urgency", "certainty", "language"):
        content[name] = said[name] or before[name]
    for name in ("likelihood", "confidence", "contact", "is_public", "is_for_police"):
        content[name] = said[name]
    for name in MOMENTS:
        content[name] = _kept_moment(said[name], getattr(former, name))
    content["countries"] = sorted(said["countries"])
    content["techniques"] = list(dict.fromkeys(said["techniques"].replace(",", " ").split()))
    content["label"] = _label(said, former.label)
    content["texts"] = before["texts"] | form.texts() | {"tasks": _rows(sets["tasks"], before["texts"]["tasks"])}
    content["indicators"] = _rows(sets["indicators"], before["indicators"])
    content["persons"] = [each | {"country": each["country"].upper()} for each in _rows(sets["persons"], ())]
    return content


def _label(said: Mapping[str, Any], former: Mapping[str, Any]) -> dict[str, Any]:
    own = {"tlp": said["tlp"], "audience": sorted(said["audience"]), "exclusions": sorted(said["exclusions"])}
    return {**{name: value for name, value in former.items() if name not in own},
            **{name: value for name, value in own.items() if value}}  # fmt: skip


def _kept_moment(said: datetime | None, former: datetime | None) -> str | None:
    """As JSON. A form shows minutes: what stood there to the second and was not changed stays to the second."""
    if said is None:
        return None
    if former is not None and former.replace(second=0, microsecond=0) == said.replace(second=0, microsecond=0):
        said = former
    return said.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _rows(rows: BaseFormSet[Any], former: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = []
    known = {str(each.get("value", each.get("text", ""))): each for each in former}
    for form in rows.forms:
        said = dict(form.cleaned_data)
        if not said or said.pop("DELETE", False) or (not form.has_changed() and not form.initial):
            continue
        before = known.get(str(said.get("value", said.get("text", ""))), {})
        for name in ("due", "valid_until"):
            if name in said:
                stood = before.get(name)
                said[name] = _kept_moment(said[name], datetime.fromisoformat(stood) if stood else None)
        if "batch" in said:  # Where a value stands nobody types in: it is known from what was there.
            said["batch"] = before.get("batch", 0)
            said["role"], said["pap"] = said["role"] or Role.UNKNOWN.value, said["pap"] or "PAP:AMBER"
        found.append(said)
    return found


class StartForm(forms.Form):
    """How an alert begins that nothing is there for yet."""

    type = forms.ChoiceField(label=labels.FIELDS["type"], widget=forms.RadioSelect)
    title = forms.CharField(
        label=labels.FIELDS["title"], max_length=LONGEST_TITLE, widget=forms.TextInput(attrs={"dir": "auto"}),
        help_text=_("You can change it until it is handed in."),
    )  # fmt: skip
    language = forms.ChoiceField(label=labels.FIELDS["language"])
    is_exercise = forms.BooleanField(
        label=_("This is an exercise"), required=False,
        help_text=_("It is marked as one everywhere and never reaches the public site."),
    )  # fmt: skip

    def __init__(self, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        for name, listed in {
            "type": [(each.value, labels.word("type", each.value)) for each in AlertType],
            "language": [(each, labels.language_name(each)) for each in LANGUAGES],
        }.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = listed


class ReasonForm(forms.Form):
    """Why something is sent back, given up or refused."""

    reason = forms.CharField(
        label=_("Reason"), max_length=2_000, widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"})
    )


class CancelForm(forms.Form):
    """Why an alert is cancelled, as the public reads it in each language."""

    ready = forms.ChoiceField(
        label=_("Ready sentence"), required=False,
        choices=[("", _("Own words, below")), *labels.CANCEL_REASONS.items()],
        help_text=_("It is there in four languages. Own words below replace it in their language."),
    )  # fmt: skip

    def __init__(self, *args: Any, **said: Any) -> None:
        super().__init__(*args, **said)
        for each in LANGUAGES:
            self.fields[f"own_{each}"] = forms.CharField(
                label=labels.language_name(each), required=False, max_length=1_000,
                widget=forms.Textarea(attrs={"rows": 2, "dir": "rtl" if each == "ar" else "ltr", "lang": each}),
            )  # fmt: skip


class TranslationForm(TextForm):
    """A version's words in another language."""

    made = forms.ChoiceField(
        label=_("How it was made"), choices=[("human", _("By a person")), ("machine", _("By a machine"))],
        help_text=_("No machine translates here. Mark what a program delivered, until a person has read all of it."),
    )  # fmt: skip
    base = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, source: Mapping[str, Any], language: str, **said: Any) -> None:
        """`source`: the texts that are translated, as JSON."""
        super().__init__(*args, **said)
        self.source = source
        self.images = sorted(source["image_texts"])
        for number, task in enumerate(source["tasks"]):
            for part in ("text", "owner"):
                if task[part]:
                    self.fields[f"task_{part}_{number}"] = _line(_("Task") if part == "text" else labels.FIELDS[part])
        for number, name in enumerate(self.images):
            self.fields[f"image_{number}"] = _line(name)
        for name, field in self.fields.items():
            if name not in {"made", "base"}:
                field.widget.attrs |= {"lang": language, "dir": direction(language)}
                field.help_text = ""

    def texts(self) -> dict[str, Any]:
        said = self.cleaned_data
        tasks = [
            {**task, **{part: said.get(f"task_{part}_{number}", "") for part in ("text", "owner")}}
            for number, task in enumerate(self.source["tasks"])
        ]  # fmt: skip
        return super().texts() | {
            "tasks": tasks,
            "image_texts": {name: said[f"image_{number}"] for number, name in enumerate(self.images)},
        }

    def pairs(self) -> Iterator[tuple[str, str, BoundField]]:
        """Name of the field, its source, the control; what the source does not say needs no translation."""
        shown = text_initial(self.source)
        for name in (*PUBLIC_FIELDS, "reason", "bottom_line", "facts", "assessment"):
            if shown[name] or self[name].value():
                yield name, shown[name], self[name]
        for number, task in enumerate(self.source["tasks"]):
            for part in ("text", "owner"):
                if task[part]:
                    yield f"tasks.{number + 1}", task[part], self[f"task_{part}_{number}"]
        for name in ("never", "questions"):
            if shown[name] or self[name].value():
                yield name, shown[name], self[name]
        for number, name in enumerate(self.images):
            yield f"image_texts.{name}", self.source["image_texts"][name], self[f"image_{number}"]


def _line(label: Any) -> forms.CharField:
    return forms.CharField(label=label, required=False, max_length=2_000, widget=forms.TextInput())


def direction(language: str) -> str:
    return "rtl" if language.split("-")[0] in RIGHT_TO_LEFT else "ltr"


def translated_initial(texts: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows of a translation; tasks and images by their places in the source."""
    found = text_initial(texts)
    for number, task in enumerate(texts.get("tasks", ())):
        found |= {f"task_{part}_{number}": task.get(part, "") for part in ("text", "owner")}
    for number, name in enumerate(sorted(source["image_texts"])):
        found[f"image_{number}"] = texts.get("image_texts", {}).get(name, "")
    return found
