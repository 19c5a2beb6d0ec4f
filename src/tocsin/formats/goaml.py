"""goAML reports of financial intelligence units (UNODC): kept whole, with a row for each account, phone and address.

Persons are named in the kept report only. Nobody in such a report is accused: every role is unknown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source, Thing
from tocsin.core.typed import iban_of
from tocsin.core.words import Role, Unit

from . import _records, _xml_records
from ._records import Record

LIMIT_BYTES = 64 << 20
CONTACTS = {"tph_number": "phone", "email": "email", "url": "url", "ip_address": "ipv4"}


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """The report as one thing, and its rows by transaction."""
    raw = source.read_all(LIMIT_BYTES)
    root = _xml_records.tree(raw)
    told = {name: _text(root, name) for name in ("rentity_id", "report_code", "submission_date", "entity_reference")}
    yield Heading(title=f"goAML {told['report_code']}", producer=told["rentity_id"], report_type=told["report_code"])
    yield Thing(
        standard="goaml",
        type=told["report_code"] or "report",
        id=f"goaml-{told['entity_reference'] or hashlib.sha256(raw).hexdigest()}",
        raw=raw,
        position=1,
        version=told["submission_date"],
    )
    transactions = _all(root, "transaction") or [root]
    yield from _records.gathered(
        list(_rows(transaction, number, told))
        or [Rejection(number, Unit.OBJECT, "no-value", "transaction", _text(transaction, "transactionnumber"))]
        for number, transaction in enumerate(transactions, start=1)
    )


def _rows(transaction: Any, number: int, told: dict[str, str]) -> Iterator[Record]:
    base: Record = {
        "position": number,
        "first_at": _text(transaction, "date_transaction") or told["submission_date"] or None,
        "role": Role.UNKNOWN.value,
        "note": _text(transaction, "transaction_description") or None,
        "reference": _text(transaction, "transactionnumber") or None,
        "tags": f"report:{told['report_code']}" if told["report_code"] else None,
    }
    for side in _sides(transaction):
        country = _text(side, "from_country") or _text(side, "to_country")
        for holder in side.iter():
            name = _local(holder)
            value = "".join(holder.itertext()).strip() if not len(holder) else ""
            if name in ("account", "iban") and value:
                iban = iban_of(value)
                facts = {
                    item: _text(holder.getparent(), item) for item in ("swift", "institution_name", "currency_code")
                }
                # A bank's own number says little without the bank, so that stays beside it.
                found: Record = {"kind": "iban" if iban else "account", "value": iban or value}
                yield {**base, **found, "extra": _records.extra_of({**facts, "country": country})}
            elif name in CONTACTS and value:
                kind = _records.kind_of_host(value) if name == "ip_address" else CONTACTS[name]
                yield {**base, "kind": kind, "value": value, "extra": _records.extra_of({"country": country})}


def _sides(transaction: Any) -> list[Any]:
    named = ("t_from", "t_from_my_client", "t_to", "t_to_my_client", "involved_parties")
    return [child for child in transaction if _local(child) in named] or [transaction]


def _local(node: Any) -> str:
    return str(node.tag).rpartition("}")[2] if isinstance(node.tag, str) else ""


def _all(node: Any, name: str) -> list[Any]:
    return [child for child in node.iter() if _local(child) == name]


def _text(node: Any, name: str) -> str:
    found = next((child for child in node.iter() if _local(child) == name), None)
    return "".join(found.itertext()).strip() if found is not None else ""


def recognise(sample: Sample) -> int:
    """By the elements that every goAML report begins with."""
    head = sample.head[:65536]
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"<":
        return 0
    return 95 if b"<report_code>" in head and b"<rentity_id>" in head else 0


FORMAT = Format(
    name="goaml",
    title="goAML report (XML)",
    recognise=recognise,
    read=read,
    media_types=("application/xml", "text/xml"),
    extensions=(".xml",),
)
