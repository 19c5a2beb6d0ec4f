"""People's data in what was handed over: names, contacts, accounts, cards, numbers of papers (DOMAIN R8, W32). Pure.

It looks at the columns and fields that are no observables: what a profile maps is what the source meant to report. A
name in a column is known by the column's heading, numbers by their check digits. It cannot know whose data they are,
finds no names in running text unless they are labelled, and nothing in pictures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tocsin.core.typed import card_of, iban_of

from .folding import folded

FEW = 3
"""Fewer than so many of a kind are no list of people: a contact, an example, the attackers' own."""
DECISIVE = frozenset({"name", "national-id", "card", "iban"})
"""Kinds of which a few suffice. Mail addresses and telephones are asked about only beside one of these."""
KINDS = ("name", "email", "phone", "iban", "card", "national-id")
_NAME = re.compile(
    r"(?:^|_)(?:first|last|full|given|middle|maiden|sur|fore)_?names?$|^(?:cardholder|customer|client|victim|patient|"
    r"employee|passenger|debtor|buyer|account_holder|card_holder|holder|beneficiary|subscriber|policyholder|insured)s?"
    r"(?:_(?:full_)?name)?$|^prenoms?$|^nom_(?:de_famille|complet|(?:du_)?client|(?:du_)?titulaire|(?:de_la_)?victime|prenom)"
    r"|^(?:titulaire|victime|assure|abonne)$|^apellidos?$|^nombres?_(?:y_apellidos?|completo|(?:del_)?cliente|(?:del_)?titular)"
    r"|^(?:titular|cliente|victima|asegurado)$|^الاسم_(?:الكامل|الاول|الثلاثي)$|^اسم_(?:العائله|العميل|الزبون|الضحيه)$|^اللقب$"
)  # fmt: skip
_NATIONAL_ID = re.compile(
    r"(?:^|_)(?:ssn|social_security(?:_n\w*)?|national_(?:id|insurance)(?:_n\w*)?|passport(?:_n\w*)?|id_card(?:_n\w*)?|"
    r"identity_(?:card|n\w*)|tax_id|dni|nie|curp|cpf|cedula|pasaporte|nir|cni|passeport|numero_de_securite_sociale|"
    r"numero_de_seguridad_social|رقم_الهويه|الرقم_القومي|الرقم_الوطني|رقم_الجواز|جواز_السفر)(?:_|$)"
)  # fmt: skip
_PHONE = re.compile(
    r"(?:^|_)(?:phones?|telephones?|tel|mobile|gsm|cell|portable|telefonos?|movil|هاتف|الهاتف|جوال)(?:_|$)"
)
_LOOKS_LIKE_NAME = re.compile(r"[^\W\d_][^\W\d_'’.\-]*(?:[ '’.\-]+[^\W\d_]+){0,5}\.?")
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_PHONE_IN_TEXT = re.compile(r"(?<![\w.+])\+\d[\d ()./-]{6,18}\d(?!\w)")
_CARD = re.compile(r"(?<![\w.])\d{4}(?:[ -]?\d{4}){2}[ -]?\d{1,7}(?![\w.])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_LABELLED = re.compile(r"^[\W_]*([^\W\d_][\w '’-]{1,40}?)\s*[:=：]\s*(\S.{0,80})$", re.MULTILINE)
MACHINE_KEYS = frozenset(
    {
        "uuid", "type", "spec_version", "created", "modified", "valid_from", "valid_until", "timestamp", "first_seen",
        "last_seen", "publish_timestamp", "category", "distribution", "sharing_group_id", "event_id", "object_id",
        "object_relation", "template_uuid", "template_version", "meta-category", "pattern", "pattern_type",
    }
)  # fmt: skip
"""Keys under which STIX and MISP have what machines write: most texts of an object, and never a person's."""
DEPTH_MOST = 60
NAME_LETTERS = (2, 60)
ENOUGH_ALIKE = 0.6
"""Share of a column's values that must look like the kind, so that neither a heading nor chance decides."""


@dataclass(frozen=True, slots=True)
class PersonalFind:
    """So many of a kind in a field, with one example that nobody can use."""

    kind: str
    field: str
    count: int
    excerpt: str


def personal_in_rows(rows: Iterable[Mapping[str, Any]]) -> list[PersonalFind]:
    """People's data in further columns of a table: heading → text of each row."""
    columns: dict[str, list[str]] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, str | int) and (text := str(value).strip()):
                columns.setdefault(name, []).append(text)
    found = (_in_column(name, values) for name, values in columns.items())
    return [each for each in found if each is not None]


def personal_in_text(text: str) -> list[PersonalFind]:
    """People's data in running text: cards and accounts by their check digits, names and papers that are labelled."""
    cards = {card for match in _CARD.findall(text) if (card := card_of(match))}
    ibans = {iban for match in _IBAN.findall(text) if (iban := iban_of(match))}
    labelled = personal_in_rows({name: value} for name, value in _LABELLED.findall(text))
    found = [
        PersonalFind(kind, "text", len(values), masked(min(values)))
        for kind, values in (("card", cards), ("iban", ibans))
        if values
    ]
    return found + [each for each in labelled if each.kind in {"name", "national-id"}]


def personal_in_object(body: Any) -> list[PersonalFind]:
    """People's data in an object of any standard: by its keys, the relations of its parts, and identities of people.

    The object is what JSON holds: dicts, lists and plain values.
    """
    columns: dict[str, list[str]] = {}
    _gather(body, columns, 0)
    found = (_in_column(name, values) for name, values in columns.items())
    return [each for each in found if each is not None]


def _gather(body: Any, columns: dict[str, list[str]], depth: int) -> None:
    """The texts of an object under their keys. Every object of every delivery passes here: no step for each leaf."""
    if depth > DEPTH_MOST:
        return
    if isinstance(body, dict):
        relation, value = body.get("object_relation"), body.get("value")
        if isinstance(relation, str) and isinstance(value, str) and (text := value.strip()):
            columns.setdefault(relation, []).append(text)
        if body.get("identity_class") == "individual" and body.get("contact_information"):
            columns.setdefault("full_name", []).extend(filter(None, [str(body.get("name") or "").strip()]))
        for name, inner in body.items():
            if isinstance(inner, str):
                if name not in MACHINE_KEYS and (text := inner.strip()):
                    columns.setdefault(name, []).append(text)
            elif isinstance(inner, dict | list):
                _gather(inner, columns, depth + 1)
    elif isinstance(body, list):
        for inner in body:
            if isinstance(inner, dict | list):
                _gather(inner, columns, depth + 1)


def must_be_asked(found: Iterable[PersonalFind]) -> bool:
    """Whether there is enough to ask the source before anything is used under a wide label."""
    sums: dict[str, int] = {}
    for each in found:
        sums[each.kind] = max(sums.get(each.kind, 0), each.count)
    return any(count >= FEW for kind, count in sums.items() if kind in DECISIVE)


def masked(value: str) -> str:
    """The first letter of each word, and dots: enough to know a column again, not to use it."""
    return " ".join(f"{word[0]}{'•' * min(len(word) - 1, 8)}" for word in value.split()[:6])


BLANK = "▇▇▇"


def blanked(text: str) -> str:
    """Running text without people's data: contacts, cards and accounts wherever they stand, names and papers where they
    are labelled. The rest stays as it is."""
    text = _LABELLED.sub(_without_labelled, text)
    for pattern, test in ((_IBAN, iban_of), (_CARD, card_of), (_EMAIL, bool), (_PHONE_IN_TEXT, bool)):
        text = pattern.sub(lambda found, test=test: BLANK if test(found[0]) else found[0], text)  # type: ignore[misc]
    return text


def _without_labelled(found: re.Match[str]) -> str:
    kind = personal_in_rows([{found[1]: found[2]}])
    return found[0][: found.start(2) - found.start()] + BLANK if kind else found[0]


def blanked_fields(body: Any, depth: int = 0) -> Any:
    """An object or a row of any shape with the same left out: by its keys, the relations of its parts, identities of
    people, and in every text."""
    if depth > DEPTH_MOST:
        return BLANK
    if isinstance(body, Mapping):
        relation, value = body.get("object_relation"), body.get("value")
        hidden = {name for name, inner in body.items() if isinstance(inner, str) and _is_personal(str(name), inner)}
        if isinstance(relation, str) and isinstance(value, str) and _is_personal(relation, value):
            hidden.add("value")
        if body.get("identity_class") == "individual":
            hidden |= {"name", "contact_information"} & body.keys()
        return {name: BLANK if name in hidden else blanked_fields(inner, depth + 1) for name, inner in body.items()}
    if isinstance(body, list):
        return [blanked_fields(inner, depth + 1) for inner in body]
    return blanked(body) if isinstance(body, str) else body


def _is_personal(heading: str, value: str) -> bool:
    return bool(value.strip()) and _in_column(heading, [value.strip()]) is not None


def _in_column(heading: str, values: list[str]) -> PersonalFind | None:
    distinct = set(values)
    for kind, test in _checks_for(heading):
        hits = _hits(distinct, test)
        if hits:
            return PersonalFind(kind, heading, len(hits), masked(min(hits)))
    return None


def _hits(distinct: set[str], test: Callable[[str], object]) -> list[str]:
    """Those that look like the kind; none where too few do, which is known before all were looked at."""
    hits, misses_most = [], len(distinct) - ENOUGH_ALIKE * len(distinct)
    misses = 0
    for value in distinct:
        if test(value):
            hits.append(value)
        elif (misses := misses + 1) > misses_most:
            return []
    return hits


@lru_cache(maxsize=4096)
def _checks_for(heading: str) -> tuple[tuple[str, Callable[[str], object]], ...]:
    """What the values under a heading are tried for. Headings repeat in every object."""
    name = re.sub(r"\W+", "_", folded(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", heading))).strip("_")
    by_heading: tuple[tuple[str, re.Pattern[str], Callable[[str], object]], ...] = (
        ("name", _NAME, _is_name), ("national-id", _NATIONAL_ID, _is_number), ("phone", _PHONE, _is_number),
    )  # fmt: skip
    named = tuple((kind, test) for kind, pattern, test in by_heading if pattern.search(name))
    return *named, ("card", card_of), ("iban", iban_of), ("email", _is_address)


def _is_name(value: str) -> bool:
    return NAME_LETTERS[0] <= len(value) <= NAME_LETTERS[1] and bool(_LOOKS_LIKE_NAME.fullmatch(value))


def _is_address(value: str) -> bool:
    return "@" in value and bool(_EMAIL.fullmatch(value))


def _is_number(value: str) -> bool:
    return sum(letter.isdigit() for letter in value) >= 5 and len(value) <= 30
