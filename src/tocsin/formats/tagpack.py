"""GraphSense TagPacks: wallet addresses with labels, in YAML. What the head says holds for every tag below.

Source: the TagPack documentation of GraphSense.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Format, Heading, Item, Rejection, Sample, Source
from tocsin.core.words import Role, Unit

from . import _records
from ._records import Record, text_of, texts_of

LIMIT_BYTES = 64 << 20
INHERITED = (
    *("label", "currency", "source", "lastmod", "abuse", "category", "actor", "confidence", "context"),
    *("is_cluster_definer", "network", "concepts", "tag_type"),
)
CONFIDENCE = {
    "ownership": "100",
    "manual_transaction": "90",
    "authority_data": "90",
    "trusted_provider": "80",
    "service_data": "80",
    "service_api": "80",
    "forensic": "70",
    "forensic_investigation": "70",
    "untrusted_transaction": "50",
    "web_crawl": "40",
    "heuristic": "30",
    "unknown": "10",
}
"""Confidence levels of TagPacks → 0 to 100, in the order that their documentation gives them."""
ABUSES = {
    "phishing": ("phishing", None),
    "ransomware": ("malware", "ransomware"),
    "malware": ("malware", None),
    "sextortion": ("social-engineering", "computer-related-fraud"),
    "scam": ("social-engineering", "computer-related-fraud"),
    "investment_fraud": ("social-engineering", "computer-related-fraud"),
    "ponzi_scheme": ("social-engineering", "computer-related-fraud"),
    "fraud": ("social-engineering", "computer-related-fraud"),
    "extortion": ("social-engineering", "computer-related-fraud"),
    "theft": ("other", "computer-related-fraud"),
    "hack": ("system-compromise", "illegal-access"),
    "money_laundering": ("other", "money-laundering"),
}
"""Abuse → (type of event, offence)."""


_ANCHOR = re.compile(rb"(?m)(?:^|[\s\[,{:-])&([^\s\[\]{},]+)")
_ALIAS = re.compile(rb"(?m)(?:^|[\s\[,{:-])\*([^\s\[\]{},]+)")


@cache
def _loader() -> type[Any]:
    """Plain data only, and dates stay text."""
    import yaml  # Imported late, like all that most deliveries do not need.

    class Loader(yaml.CSafeLoader):
        yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":bool", ":null", ":merge"))]
            for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
        }

    return Loader


def read(source: Source, profile: Profile) -> Iterator[Item]:
    """A row for each tag that names an address."""
    import yaml

    raw = source.read_all(LIMIT_BYTES)
    anchors = set(_ANCHOR.findall(raw))
    if anchors and anchors & set(_ALIAS.findall(raw)):
        raise InputError("unsupported-record", excerpt="YAML alias")  # A few could stand for gigabytes.
    try:
        tree = yaml.load(raw, Loader=_loader())  # noqa: S506 - Derived from the safe one.
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise InputError("unsupported-record", position=where, excerpt=str(error)[:80]) from error
    if not isinstance(tree, dict) or not isinstance(tree.get("tags"), list):
        raise InputError("missing-field", field="tags")
    head = {name: tree[name] for name in INHERITED if name in tree}
    title, creator = text_of(tree.get("title")) or "", text_of(tree.get("creator")) or ""
    yield Heading(title=title, producer=creator, text=text_of(tree.get("description")) or "")
    batches = _records.Batches()
    for number, tag in enumerate(tree["tags"], start=1):
        if not isinstance(tag, dict):
            yield Rejection(number, Unit.OBJECT, "not-an-object", "tags", str(tag)[:80])
            continue
        address = text_of(tag.get("address"))
        if not address:
            reason = "unsupported-record" if tag.get("tx_hash") else "no-value"
            yield Rejection(number, Unit.OBJECT, reason, "address", str(tag)[:80])
            continue
        batches.add(_row({**head, **tag}, address, number))
        if batches.full:
            yield from batches.flush()
    yield from batches.flush()


def _row(tag: dict[str, object], address: str, number: int) -> Record:
    abuse = (text_of(tag.get("abuse")) or "").lower()
    type_, offence = ABUSES.get(abuse, (None, None))
    label = text_of(tag.get("label"))
    known = ("address", "label", "source", "lastmod", "actor", "confidence", "abuse", "category")
    return {
        "position": number,
        "first_at": text_of(tag.get("lastmod")),
        "kind": "wallet",
        "value": address,
        # A service or a market is named, not accused: only an abuse makes an address the attacker's.
        "role": (Role.ATTACKER_INFRA if abuse else Role.UNKNOWN).value,
        "type": type_,
        "offence": offence,
        "malware": label if abuse == "ransomware" else None,
        "actor": text_of(tag.get("actor")),
        "label": label,
        "confidence": CONFIDENCE.get((text_of(tag.get("confidence")) or "").lower()),
        "tags": "; ".join(
            f"{name}:{value}"
            for name in ("currency", "abuse", "category", "concepts")
            for value in texts_of(tag.get(name))
        )
        or None,
        "reference": text_of(tag.get("source")),
        "extra": _records.extra_of({name: value for name, value in tag.items() if name not in known}),
    }


_TAGS = re.compile(rb"(?m)^tags\s*:\s*$")
_ADDRESS = re.compile(rb"(?m)^\s*-?\s*(?:address|tx_hash)\s*:")


def recognise(sample: Sample) -> int:
    """By the head and the list of tags with addresses."""
    head = sample.head
    if head.lstrip()[:1] in (b"{", b"[", b"<") or not _TAGS.search(head) or not _ADDRESS.search(head):
        return 0
    return 90 if re.search(rb"(?m)^(?:title|creator|currency|label)\s*:", head) else 60


FORMAT = Format(
    name="tagpack",
    title="GraphSense TagPack (YAML)",
    recognise=recognise,
    read=read,
    media_types=("application/yaml",),
    extensions=(".yaml", ".yml"),
)
