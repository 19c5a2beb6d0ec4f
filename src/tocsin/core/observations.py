"""The one table of fields of an observation: name, type, unit, meaning, least marking.

Everything else follows from it: what a reader may yield, what the kernel checks, the Parquet schema,
column maps, the API's documentation, every export. An observation says: at this time this value had
this role in this place, for this offence, from this batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import polars as pl

from .later import Table
from .words import Tlp


@cache
def moment() -> pl.Datetime:
    """The type of every moment in the lake."""
    return pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Field:
    """One column. `draft` columns may come from a reader; the rest the kernel and the store add.

    `export` columns leave the Centre in packages; `victim` columns point to a person or machine that suffered.
    """

    name: str
    written: str
    """Its type: a name of Polars, or "Moment"."""
    meaning: str
    draft: bool = True
    export: bool = True
    victim: bool = False
    least_marking: Tlp = Tlp.CLEAR

    @property
    def dtype(self) -> pl.DataType | type[pl.DataType]:
        """The type of the column."""
        if self.written == "Moment":
            return moment()
        found: type[pl.DataType] = getattr(pl, self.written)
        return found


FIELDS: tuple[Field, ...] = (
    # Which row this is.
    Field(
        "batch",
        "Int64",
        "Number of the batch: source, handling set and profile hang on it.",
        draft=False,
        export=False,
    ),
    Field("position", "Int64", "Where in the delivery the row stood: line, record or object number, from 1."),
    # When.
    Field("first_at", "Moment", "When it was seen first, UTC. The time of receipt where the source gives none."),
    Field("last_at", "Moment", "When it was seen last, UTC."),
    Field("count", "Int64", "How often it was seen: repeats inside the window are counted, not repeated."),
    # What.
    Field("kind", "String", "What sort of value: a word of Kind."),
    Field("value", "String", "The value in its canonical form."),
    Field(
        "ipv4",
        "UInt32",
        "The value as a number, where it is an IPv4 address or the first address of an IPv4 network.",
        draft=False,
        export=False,
    ),
    Field(
        "ipv6",
        "Binary",
        "The value as 16 bytes, where it is an IPv6 address or the first address of an IPv6 network.",
        draft=False,
        export=False,
    ),
    Field("domain", "String", "The registrable domain of a domain, web or e-mail address.", draft=False),
    Field("role", "String", "What the value did or suffered: a word of Role."),
    # Which offence.
    Field("type", "String", "Type of event: Reference Security Incident Taxonomy."),
    Field("offence", "String", "Offence family: a word of Offence."),
    Field("malware", "String", "Malware family, by the name that Tocsin resolves to."),
    Field("actor", "String", "Threat actor, by the name that Tocsin resolves to."),
    Field("label", "String", "The source's own word for the malware, actor or campaign."),
    Field("severity", "String", "Severity: critical, high, medium, low, info."),
    Field("confidence", "UInt8", "How sure the source is, 0 to 100; empty when it does not say."),
    # Where.
    Field(
        "country",
        "String",
        "Country where the value is, ISO 3166-1 alpha-2; empty while claims conflict.",
        draft=False,
    ),
    Field("country_basis", "String", "How the country was found: a word of Basis.", draft=False),
    Field("stated_country", "String", "Claim of the source."),
    Field("registry_country", "String", "Claim of the network registry.", draft=False),
    Field("geo_country", "String", "Claim of the geolocation table, or of a user's MMDB file.", draft=False),
    Field(
        "tld_country",
        "String",
        "Claim of the country-code top-level domain or of the telephone or IBAN prefix.",
        draft=False,
    ),
    Field(
        "target_country",
        "String",
        "Country whose people or organisations were aimed at, as the source says.",
    ),
    Field(
        "attacker_country",
        "String",
        "Country where the source believes the attacker to be: a claim, never a finding.",
    ),
    Field(
        "registrant_country",
        "String",
        "Country of the domain's or network's registrant, as the source says.",
    ),
    Field("asn", "UInt32", "Number of the autonomous system that announced the address."),
    Field("network", "String", "The announced network, CIDR or first-last."),
    # How it was reached, and the other side.
    Field("port", "UInt16", "Port on the value's side."),
    Field("protocol", "String", "Transport or application protocol, lower case."),
    Field("hostname", "String", "Reverse DNS or host name given by the source.", victim=True),
    Field("url", "String", "Web address that belongs to the row, where it is not the value itself."),
    Field("peer", "String", "The other side: an address or name, canonical."),
    Field(
        "peer_ipv4",
        "UInt32",
        "The other side as a number, where it is an IPv4 address.",
        draft=False,
        export=False,
    ),
    Field("peer_role", "String", "Role of the other side: a word of Role."),
    Field("peer_port", "UInt16", "Port on the other side."),
    Field("peer_country", "String", "Country of the other side."),
    Field("peer_asn", "UInt32", "Autonomous system of the other side.", draft=False),
    Field("peer_network", "String", "Announced network of the other side.", draft=False),
    # The rest.
    Field(
        "warnings",
        "UInt32",
        "Bit mask of warning-list groups that hold the value (reference.warnings.GROUPS).",
        draft=False,
    ),
    Field("tags", "String", "Tags as received, separated by '; '."),
    Field("note", "String", "Remark of the source."),
    Field("reference", "String", "Where the source says more: a web address or a report number."),
    Field(
        "extra",
        "String",
        "What has no column of its own, as a JSON object.",
        victim=True,
        least_marking=Tlp.AMBER,
    ),
)

BY_NAME: dict[str, Field] = {field.name: field for field in FIELDS}
NAMES: tuple[str, ...] = tuple(BY_NAME)
SCHEMA: Table[pl.DataType | type[pl.DataType]] = Table(lambda: {field.name: field.dtype for field in FIELDS})
DRAFT: tuple[str, ...] = tuple(field.name for field in FIELDS if field.draft)
"""Names a reader may use. All but `position` travel as text; the kernel casts and checks them."""
EXPORTED: tuple[str, ...] = tuple(field.name for field in FIELDS if field.export)

SECOND_VALUES: tuple[str, ...] = ("peer", "url", "hostname", "domain")
"""Columns beside `value` under which a row can be looked up."""
