"""An alert begun from what was found: gathers, through the gate, what whoever starts it may see of it.

Each gives a draft and the batches that it rests on. Rows of whoever suffered are counted, and never become
indicators.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import orjson
import polars as pl
from django.db.models import Max, Min, Q, Sum

from tocsin.centre.analysis.lookups import answer
from tocsin.centre.analysis.models import StandingHit
from tocsin.centre.intake import grades
from tocsin.centre.intake.deliveries import title_for
from tocsin.centre.intake.models import Batch, Delivery, NameTally, Tally
from tocsin.centre.intake.selectors import VICTIM_WORDS, countable, rows_everywhere, scope_of, visible_batches
from tocsin.centre.intake.selectors import victim_countries as viewer_countries
from tocsin.centre.intake.vault import opened_word
from tocsin.centre.knowledge.models import Object
from tocsin.centre.knowledge.selectors import bodies_at, body_of, linked
from tocsin.centre.members.models import Person
from tocsin.centre.members.selectors import viewer_of
from tocsin.core.errors import InputError, NotFound
from tocsin.core.grading import grade_of, stix_confidence
from tocsin.core.patterns import plain_comparisons
from tocsin.core.typed import recognise_value
from tocsin.core.words import Kind, Role
from tocsin.credentials.content_keys import KeyMissing
from tocsin.handling import Viewer
from tocsin.lake.questions.extract import strongest_under
from tocsin.lake.scope import Batches
from tocsin.products.alerts.composing import VALID_DAYS, Findings, draft_of_findings
from tocsin.products.alerts.draft import MOST_COUNTRIES, Draft, Indicator, draft_of
from tocsin.reference import warnings

from .grounds import EVERYDAY, is_everyday, snapshot_of
from .models import Proposal

Started = tuple[Draft, list[int]]
MOST_VALUES = 200
"""Indicators that a draft begins with: an officer keeps what is worth it."""
MOST_THINGS = 500
MOST_SAID = 5
MOST_BATCHES = 500
"""Parts of deliveries that one draft rests on, the newest."""
CONFIRMED = 60
"""STIX confidence from which on a grade says "probably true" or more."""
LANGUAGES = ("en", "fr", "es", "ar")
_TECHNIQUE = re.compile(r"(?<![A-Za-z0-9])T\d{4}(?:\.\d{3})?(?![A-Za-z0-9])")
_ATTACK_SOURCES = ("mitre-attack", "mitre-mobile-attack", "mitre-ics-attack")
_TELLING = frozenset({"malware", "campaign", "intrusion-set", "attack-pattern", "report", "tool", "infrastructure"})
"""Types of objects whose description says how something is done."""
_TITLED = ("campaign", "malware", "report", "intrusion-set")
_RANSOMWARE = "ransomware"


def language_of(person: Person) -> str:
    """In which a draft of this person's begins."""
    return person.language if person.language in LANGUAGES else "en"


def draft_from_delivery(
    delivery: Delivery, by: Person, at: datetime, batches: Collection[int] | None = None
) -> Started:
    """Of what the person sees of a delivery, or of these parts of it. Raises NotFound where that is nothing."""
    seen = visible_batches(viewer_of(by), at).filter(delivery=delivery)
    if batches is not None:
        seen = seen.filter(pk__in=list(batches))
    numbers = _newest(seen)
    return _started(numbers, by, at, objects=_telling(numbers), title=_no_file(delivery, by))


def _no_file(delivery: Delivery, by: Person) -> str:
    """What a report calls itself; the name of a file is no title."""
    return title_for(by, delivery) if delivery.title else ""


def draft_from_object(thing: Object, by: Person, at: datetime) -> Started:
    """Of an object of knowledge and what it is tied to, as far as the person sees it."""
    seen = visible_batches(viewer_of(by), at)
    if not seen.filter(pk=thing.batch_id).exists():
        raise NotFound
    near = [each for _, each in linked(Object.objects.filter(batch__in=seen), thing, body_of(thing))]
    # What is tied to a relation lies one step further: malware ← indicates → indicator.
    for relation in [each for each in near if each.type == "relationship"][:MOST_THINGS]:
        near += [each for _, each in linked(Object.objects.filter(batch__in=seen), relation, body_of(relation))]
    things = list({each.pk: each for each in [thing, *near]}.values())[:MOST_THINGS]
    numbers = sorted({each.batch_id for each in things})
    return _started(numbers, by, at, objects=things, title=thing.name, from_rows=False)


def draft_from_values(values: Sequence[str], by: Person, at: datetime) -> Started:
    """Of values that somebody looked up, or that several organisations have in common. Raises NotFound where nothing is
    known of any of them, InputError for what is no value."""
    viewer, found, numbers, things = viewer_of(by), [], set[int](), dict[int, Object]()
    for text in dict.fromkeys(each.strip() for each in values if each.strip()):
        reply = answer(text, viewer, most_rows=0)
        if not reply.kind:
            raise InputError("invalid-object", field="value", excerpt=text[:80])
        newest = sorted(reply.found.by_batch, reverse=True)[:MOST_BATCHES]
        numbers |= {*newest, *(each.batch_id for each in reply.objects)}
        things |= {each.pk: each for each in reply.objects}
        if reply.kind != "name":
            found.append((reply.kind, reply.value))
    draft, grounds = _started(sorted(numbers)[-MOST_BATCHES:], by, at, objects=list(things.values()), values=found)
    return draft, grounds


def draft_from_hit(hit: StandingHit, by: Person, at: datetime) -> Started:
    """Of what a standing query met: that part of a delivery, about that value."""
    if not visible_batches(viewer_of(by), at).filter(pk=hit.batch_id).exists():
        raise NotFound
    recognised = recognise_value(hit.query.value)
    values = [(str(recognised[0]), recognised[1])] if recognised else []
    return _started([hit.batch_id], by, at, objects=[], values=values)


def draft_from_family(country: str, malware: str, by: Person, at: datetime, days: int = VALID_DAYS) -> Started:
    """Of one malware in one country (empty: in all) over the last days: a trend."""
    viewer = viewer_of(by)
    listed = _names_for(viewer).filter(malware__iexact=malware, last_day__gte=(at - timedelta(days=days)).date())
    listed = listed.filter(country=country) if country else listed
    seen = visible_batches(viewer, at).filter(pk__in=listed.values("batch"))
    draft, numbers = _started(_newest(seen), by, at, objects=[], families=[malware])
    return (replace_countries(draft, (country,)) if country else draft), numbers


def replace_countries(draft: Draft, countries: Iterable[str]) -> Draft:
    return msgspec.structs.replace(draft, countries=tuple(sorted(set(countries))))


def draft_from_proposal(proposal: Proposal) -> Started:
    """What a partner or a bureau proposed, as it wrote it; what it claims of consent is the Centre's to find out."""
    said = draft_of(proposal.content)
    indicators = tuple(
        msgspec.structs.replace(each, batch=0, is_marked=False, pap="PAP:AMBER", has_consent=False)
        for each in said.indicators
    )  # fmt: skip
    return msgspec.structs.replace(said, indicators=indicators), []


def _newest(batches: Any) -> list[int]:
    return sorted(batches.order_by("-pk").values_list("pk", flat=True)[:MOST_BATCHES])


def _started(
    numbers: Sequence[int], by: Person, at: datetime, *, objects: Sequence[Object],
    values: Sequence[tuple[str, str]] | None = None, families: Sequence[str] = (), title: str = "",
    from_rows: bool = True,
) -> Started:  # fmt: skip
    if not numbers:
        raise NotFound
    batches = list(Batch.objects.filter(pk__in=list(numbers)).select_related("delivery__organisation"))
    graded = {each.pk: each.grade for each in batches}
    rows = _rows(numbers, by, at) if from_rows or values else None
    found = _counted(numbers, by, families) if from_rows else Findings()
    bodies = list(_bodies(objects))
    indicators = _of_rows(rows, values, graded, at) if rows is not None else []
    indicators += _of_objects(bodies, graded)
    best, is_confirmed = _best(batches)
    named = [str(body.get("name")) for _thing, body in bodies if body.get("type") == "malware" and body.get("name")]
    listed = _named_in(rows, values)
    found = replace(
        found, indicators=_each_once(indicators), techniques=_techniques(bodies, rows),
        families=tuple(dict.fromkeys([*families, *named, *listed, *found.families])),
        sources=len({each.organisation_id for each in batches}), best_grade=best, is_confirmed=is_confirmed,
        said=tuple(_said(bodies))[:MOST_SAID], title=title or _title(bodies, values),
        is_ransomware=any(_is_ransomware(body) for _thing, body in bodies),
    )  # fmt: skip
    return draft_of_findings(found, language_of(by), at), sorted(each.pk for each in batches)


def _rows(numbers: Sequence[int], by: Person, at: datetime) -> pl.DataFrame | None:
    if not Batch.objects.filter(pk__in=list(numbers), rows__gt=0).exists():
        return None
    files = snapshot_of(list(numbers))
    mask = sum(warnings.BIT[group] for group in EVERYDAY)
    return strongest_under(files, scope_of(viewer_of(by), at), Batches(list(numbers)), MOST_VALUES * 10, mask)


def _of_rows(
    rows: pl.DataFrame, values: Sequence[tuple[str, str]] | None, graded: Mapping[int, str], at: datetime
) -> list[Indicator]:
    if values is not None:
        rows = rows.filter(pl.col("value").is_in([value for _kind, value in values]))
    return [
        Indicator(
            value=row["value"], kind=Kind(row["kind"]), role=Role(row["role"]), grade=graded.get(row["batch"], ""),
            valid_until=(max(row["last_at"], at) + timedelta(days=VALID_DAYS)).replace(microsecond=0),
            note=row["malware"] or "", batch=row["batch"],
        )
        for row in rows.head(MOST_VALUES).iter_rows(named=True)
        if row["kind"] in set(Kind) and row["role"] in set(Role)
    ]  # fmt: skip


def _named_in(rows: pl.DataFrame | None, values: Sequence[tuple[str, str]] | None) -> list[str]:
    if rows is None or values is None:
        return []
    named = rows.filter(pl.col("value").is_in([value for _kind, value in values]))["malware"].drop_nulls()
    return [name for name, _count in Counter(named.to_list()).most_common()]


def _of_objects(bodies: Iterable[tuple[Object, dict[str, Any]]], graded: Mapping[int, str]) -> list[Indicator]:
    """Values of plain patterns. What a pattern combines, no list of values can say."""
    made = []
    for thing, body in bodies:
        pattern = body.get("pattern")
        if body.get("type") != "indicator" or not isinstance(pattern, str) or body.get("revoked"):
            continue
        types = body.get("indicator_types") or []
        role = Role.COMPROMISED_THIRD_PARTY if "compromised" in types else Role.ATTACKER_INFRA
        if types and not {"compromised", "malicious-activity", "attribution"} & set(types):
            continue  # Of no known role: perhaps somebody who suffered.
        made += [
            Indicator(value=each.value, kind=each.kind, role=role, grade=graded.get(thing.batch_id, ""),
                      batch=thing.batch_id)
            for each in plain_comparisons(pattern) or () if not is_everyday(each.kind, each.value)
        ]  # fmt: skip
    return made


def _each_once(indicators: Iterable[Indicator]) -> tuple[Indicator, ...]:
    """The perpetrators' own first, then what they hacked; of one value the first."""
    found: dict[tuple[Kind, str], Indicator] = {}
    for each in indicators:
        found.setdefault((each.kind, each.value), each)
    order = list(found.values())
    order.sort(key=lambda each: each.role is not Role.ATTACKER_INFRA)
    return tuple(order[:MOST_VALUES])


def _counted(numbers: Sequence[int], by: Person, families: Sequence[str]) -> Findings:
    """Figures of the tallies that the person may have counted; of victims only what tells of nobody."""
    viewer, within = viewer_of(by), list(numbers)
    tallies = countable(viewer).filter(batch__in=within)
    open_to_all = tallies.exclude(role__in=VICTIM_WORDS)
    span = tallies.aggregate(rows=Sum("rows"), first=Min("day"), last=Max("day"))
    types = _summed(tallies.exclude(type=""), "type")
    places = _summed(open_to_all.exclude(country=""), "country")
    names = _names_for(viewer).filter(batch__in=within).values("malware").annotate(sum=Sum("rows"))
    known = [] if families else [opened_word(each["malware"]) for each in names.order_by("-sum", "malware")[:20]]
    suffering = Batch.objects.filter(
        pk__in=Tally.objects.filter(batch__in=within, role="VICTIM").values("batch").distinct()
    )
    return Findings(
        rows=span["rows"] or 0, victims=_victims(suffering), types=types, families=tuple(filter(None, known)),
        countries=tuple(sorted(list(places)[:MOST_COUNTRIES])), first_at=_midnight(span["first"]),
        last_at=_midnight(span["last"]),
    )  # fmt: skip


def _names_for(viewer: Viewer) -> Any:
    """Name tallies know no roles, and most named rows are victims': who is not at the victim desk has them counted in
    what is his own alone."""
    if viewer.is_victim_desk:
        return NameTally.objects.all()
    own = Batch.objects.filter(organisation__slug=viewer.organisation)
    return NameTally.objects.filter(Q(country__in=viewer_countries(viewer)) | Q(batch__in=own))


def _victims(batches: Any) -> int | None:
    if not batches.exists() or rows_everywhere(batches) is None:
        return None
    return int(Tally.objects.filter(batch__in=batches, role="VICTIM").aggregate(sum=Sum("rows"))["sum"] or 0) or None


def _summed(tallies: Any, name: str) -> dict[str, int]:
    found = tallies.order_by().values(name).annotate(sum=Sum("rows")).order_by("-sum", name)
    return {each[name]: each["sum"] for each in found}


def _midnight(day: Any) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _best(batches: Iterable[Batch]) -> tuple[str, bool]:
    """The best grade, as it was given, and whether somebody calls it confirmed or probably true."""
    numbers: dict[str, int] = {}
    for each in batches:
        number, _lost = stix_confidence(grade_of(grades.shown_grade(each)))
        numbers[grades.shown_grade(each)] = number or 0
    best = max(sorted(numbers), key=lambda text: numbers[text], default="")
    return best, numbers.get(best, 0) >= CONFIRMED


def _telling(numbers: Sequence[int]) -> list[Object]:
    wanted = [*_TELLING, "indicator", "relationship"]
    return list(
        Object.objects.filter(batch__in=list(numbers), type__in=wanted, revoked=False).order_by("pk")[:MOST_THINGS]
    )


def _bodies(things: Sequence[Object]) -> Iterable[tuple[Object, dict[str, Any]]]:
    try:
        found = bodies_at(each.pk for each in things)
    except KeyMissing:
        return
    for each in things:
        try:
            body = orjson.loads(found[each.pk].raw)
        except (orjson.JSONDecodeError, KeyError):
            continue
        if isinstance(body, dict):
            yield each, body


def _said(bodies: Iterable[tuple[Object, dict[str, Any]]]) -> Iterable[str]:
    for _thing, body in bodies:
        text = body.get("description")
        if body.get("type") in _TELLING and isinstance(text, str) and text.strip():
            yield f"{body['name']}: {text}" if isinstance(body.get("name"), str) else text


def _title(bodies: Iterable[tuple[Object, dict[str, Any]]], values: Sequence[tuple[str, str]] | None) -> str:
    if values:
        return ""
    by_type = {str(body.get("type")): str(body.get("name") or "") for _thing, body in bodies}
    return next((by_type[each] for each in _TITLED if by_type.get(each) and each != "malware"), "")


def _is_ransomware(body: Mapping[str, Any]) -> bool:
    kinds = [body.get("malware_types"), body.get("labels")]
    return any(isinstance(each, list) and _RANSOMWARE in map(str, each) for each in kinds)


def _techniques(bodies: Iterable[tuple[Object, dict[str, Any]]], rows: pl.DataFrame | None) -> tuple[str, ...]:
    found = {number for _thing, body in bodies for number, _name in techniques_of(body)}
    if rows is not None:
        for tags in rows["tags"].drop_nulls().unique().to_list():
            found |= set(_TECHNIQUE.findall(tags))
    return tuple(sorted(found))


def techniques_of(body: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """ATT&CK identifiers of an object, by its external references alone: names change."""
    references = body.get("external_references")
    for each in references if isinstance(references, list) else ():
        number = each.get("external_id") if isinstance(each, dict) else None
        if isinstance(number, str) and each.get("source_name") in _ATTACK_SOURCES and _TECHNIQUE.fullmatch(number):
            yield number, str(body.get("name") or "")


def technique_names(techniques: Collection[str], deliveries: Collection[int]) -> dict[str, str]:
    """Identifier → name, as objects of these deliveries name it; empty where none does."""
    found = dict.fromkeys(techniques, "")
    if not found:
        return found
    things = Object.objects.filter(delivery__in=list(deliveries), type="attack-pattern").order_by("-pk")[:MOST_THINGS]
    for _thing, body in _bodies(list(things)):
        for number, name in techniques_of(body):
            if number in found and not found[number]:
                found[number] = name
    return found
