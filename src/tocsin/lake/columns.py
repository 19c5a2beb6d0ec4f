"""Every column beside the value, its times and its place: defaults, words, numbers, countries, the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tocsin.core.observations import DRAFT, SCHEMA
from tocsin.core.profiles import Profile
from tocsin.core.roles import event_type, peer_role, source_role
from tocsin.core.words import OFFENCE_OF_TYPE, EventType, Offence, Role, Severity
from tocsin.reference import names, warnings
from tocsin.reference.addresses import AddressTables
from tocsin.reference.countries import normalise_countries

from . import canonical, places

if TYPE_CHECKING:
    from .normalise import Draft

NOTHING = [
    "",
    "-",
    "--",
    "n/a",
    "N/A",
    "NA",
    "na",
    "null",
    "NULL",
    "None",
    "none",
    "nil",
    "unknown",
    "Unknown",
    "UNKNOWN",
    "?",
]
"""What sources write for a value that they do not have."""
NO_COUNTRY = [
    "",
    "-",
    "--",
    "ZZ",
    "XX",
    "A1",
    "A2",
    "AP",
    "EU",
    "O1",
    "T1",
    "n/a",
    "N/A",
    "null",
    "NULL",
    "None",
    "unknown",
    "Unknown",
    "UNKNOWN",
    "?",
]
"""Codes that geolocation tables use for "no country"; NA is Namibia."""
NAMES = ("malware", "actor")
TEXTS = ("label", "hostname", "url", "tags", "note", "reference")
UNSAFE = canonical.UNSAFE.replace(r"\x00-\x1f", r"\x00-\x08\x0b\x0c\x0e-\x1f").replace(r"\u{200e}\u{200f}\u{061c}", "")
LONGEST_TEXT = 32_768
SAMPLE_ROWS = 4_096
"""So many rows tell whether the other sides of a table repeat."""
SEVERITIES = {
    **{word.value: word.value for word in Severity},
    "informational": "info",
    "information": "info",
    "moderate": "medium",
    "warning": "medium",
    "severe": "high",
    "urgent": "critical",
}


def prepared(frame: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    """The draft with the profile's defaults, empty words made null, and `count` from repeats and statement."""
    strange = set(frame.columns) - set(DRAFT) - {"times", "key", "part", "received_at"}
    if strange:
        raise ValueError(f"a reader yielded columns outside the contract: {sorted(strange)}")
    new: dict[str, pl.Expr | pl.Series] = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype != pl.String or name in {"value", "note", "extra"}:
            continue
        empties = NO_COUNTRY if name.endswith("country") else NOTHING
        if name in {"role", "peer_role"}:
            empties = [word for word in NOTHING if word.upper() != Role.UNKNOWN]  # An answer, and not the lack of one.
        is_empty = column.is_in(empties)
        if is_empty.any():
            new[name] = pl.select(pl.when(is_empty).then(None).otherwise(column)).to_series()
    frame = frame.with_columns(**new) if new else frame
    defaults = {
        name: pl.lit(text) if name not in frame.columns else pl.coalesce(pl.col(name).cast(pl.String), pl.lit(text))
        for name, text in profile.defaults.items()
        if name in DRAFT
    }
    return frame.with_columns(**defaults) if defaults else frame


def _mapped(draft: Draft, name: str, table: dict[str, str | None], reason: str) -> None:
    """Replace the words of a column by a table of its distinct words; refuse rows with a word that has none."""
    column = draft.frame[name]
    strange = [word for word, meaning in table.items() if meaning is None]
    if strange:
        draft.refuse(column.is_in(strange), name, reason)
        column = draft.frame[name]
    draft.set(
        **{
            name: column.replace_strict(
                pl.Series(list(table), dtype=pl.String),
                pl.Series(list(table.values()), dtype=pl.String),
                default=None,
                return_dtype=pl.String,
            )
        }
    )


def _distinct(draft: Draft, name: str) -> list[str]:
    if name not in draft.frame.columns:
        draft.set(**{name: pl.lit(None, dtype=pl.String)})
        return []
    return draft.frame[name].drop_nulls().unique().to_list()


def check_words(draft: Draft) -> None:
    """type, offence, role, peer_role, severity and protocol by their lists; what is missing follows from the type."""
    types = {word: found.value if (found := event_type(word)) else None for word in _distinct(draft, "type")}
    _mapped(draft, "type", types, "not-a-type")
    draft.set(type=pl.col("type").fill_null(EventType.UNDETERMINED.value))
    for name in ("role", "peer_role"):
        roles = {
            word: up if (up := word.upper().replace("-", "_")) in Role.__members__ else None
            for word in _distinct(draft, name)
        }
        _mapped(draft, name, roles, "not-a-role")
    offences = {word: low if (low := word.lower()) in set(Offence) else None for word in _distinct(draft, "offence")}
    _mapped(draft, "offence", {word: meaning or "" for word, meaning in offences.items()}, "not-a-type")
    severities = {word: SEVERITIES.get(word.lower(), "") for word in _distinct(draft, "severity")}
    _mapped(draft, "severity", dict(severities), "not-a-type")
    if "protocol" in draft.frame.columns:
        protocols = {word: word.lower()[:20] for word in _distinct(draft, "protocol")}
        _mapped(draft, "protocol", dict(protocols), "wrong-type")
    kinds = draft.frame["type"].unique().to_list()
    role_of = {kind: source_role(kind).value for kind in kinds}
    peer_of = {kind: peer_role(kind).value for kind in kinds}
    offence_of = {kind: OFFENCE_OF_TYPE.get(EventType(kind), Offence.NONE).value for kind in kinds}
    has_peer = "peer" in draft.frame.columns
    draft.frame = draft.frame.with_columns(
        role=pl.coalesce("role", pl.col("type").replace_strict(role_of, return_dtype=pl.String)),
        peer_role=pl.when(pl.col("peer").is_not_null()).then(
            pl.coalesce("peer_role", pl.col("type").replace_strict(peer_of, return_dtype=pl.String))
        )
        if has_peer
        else pl.lit(None, dtype=pl.String),
        offence=pl.coalesce(
            pl.when(pl.col("offence") != "").then("offence"),
            pl.col("type").replace_strict(offence_of, return_dtype=pl.String),
        ),
        severity=pl.when(pl.col("severity") != "").then("severity"),
    )


def check_numbers(draft: Draft) -> None:
    """port, peer_port, asn, confidence and count: refuse what is no number in its range."""
    for name, lowest, highest, reason in (
        ("port", 0, 65_535, "not-a-port"),
        ("peer_port", 0, 65_535, "not-a-port"),
        ("count", 0, 1 << 40, "not-a-number"),
        ("confidence", 0, 100, "not-a-number"),
        ("asn", 0, (1 << 32) - 1, "not-an-asn"),
    ):
        if name not in draft.frame.columns:
            continue
        given = draft.frame[name]
        number = number_of(given, name)
        wrong = given.is_not_null() & (number.is_null() | (number < lowest) | (number > highest))
        if wrong.any():
            draft.refuse(wrong, name, reason)
            number = number.filter(~wrong)
        draft.set(**{name: number.cast(SCHEMA[name])})
    times = pl.col("times") if "times" in draft.frame.columns else pl.lit(1, dtype=pl.Int64)
    stated = stated_counts(draft.frame["count"]) if "count" in draft.frame.columns else pl.lit(1, dtype=pl.Int64)
    draft.set(count=times * stated)


def number_of(given: pl.Series, name: str) -> pl.Series:
    """Whole numbers of a column, null where there is none."""
    text = given.cast(pl.String).str.strip_chars()
    if name == "asn":
        text = text.str.extract(r"(?i)^\s*(?:ASN?\s*)?([0-9]+)", 1)
    number = text.cast(pl.Int64, strict=False)
    if number.null_count() > given.null_count():
        loose = text.cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
        number = pl.select(pl.coalesce(number, loose)).to_series()
    return number


def stated_counts(number: pl.Series) -> pl.Series:
    """How often each row says that it was seen, one at least."""
    return number.fill_null(1).clip(lower_bound=1)


def check_countries(draft: Draft) -> None:
    """Every stated country as ISO 3166-1 alpha-2; refuse what is no country."""
    for name in (
        "stated_country",
        "target_country",
        "attacker_country",
        "registrant_country",
        "peer_country",
    ):
        if name not in draft.frame.columns:
            continue
        given = draft.frame[name]
        codes = normalise_countries(given)
        wrong = codes.is_null() & given.is_not_null()
        if wrong.any():
            draft.refuse(wrong, name, "not-a-country")
            codes = codes.filter(~wrong)
        draft.set(**{name: codes})


def other_side(draft: Draft, tables: AddressTables) -> None:
    """The peer in canonical form, with its network and country where it is an address."""
    if "peer" not in draft.frame.columns or draft.frame["peer"].null_count() == draft.frame.height:
        return
    joined = _peers_of(draft.frame["peer"], tables)
    stated = draft.frame["peer_country"] if "peer_country" in draft.frame.columns else None
    country = joined["both"] if stated is None else pl.select(pl.coalesce(joined["both"], stated)).to_series()
    draft.set(
        peer=joined["peer"],
        peer_ipv4=joined["peer_ipv4"],
        peer_asn=joined["asn"],
        peer_network=joined["network"],
        peer_country=pl.select(pl.coalesce(country, joined["geo_country"], joined["registry_country"])).to_series(),
    )


def _peers_of(given: pl.Series, tables: AddressTables) -> pl.DataFrame:
    """The other side of each row."""
    if not given.null_count() and given.head(SAMPLE_ROWS).n_unique() > min(len(given), SAMPLE_ROWS) // 2:
        return _peers(given, tables)
    # Other sides repeat: a few servers stand for most rows, so each is looked at once.
    known = _peers(given.drop_nulls().unique(), tables)
    return given.alias("given").to_frame().join(known, on="given", how="left", maintain_order="left")


def _peers(given: pl.Series, tables: AddressTables) -> pl.DataFrame:
    """For each distinct other side: canonical text, number, network, claims, and the country that both claim."""
    peer = canonical.refang(given)
    numbers = canonical.ipv4_numbers(peer)
    text = pl.col("text")
    named = pl.when(~text.str.contains(canonical.UNSAFE)).then(text.str.to_lowercase().str.slice(0, 2048))
    settled = (
        pl.DataFrame([peer.alias("text"), numbers.alias("number")])
        .select(pl.when(pl.col("number").is_null()).then(named).otherwise(text).alias("peer"))
        .to_series()
    )
    found = places.located(numbers, None, tables)
    both = pl.when(pl.col("registry_country") == pl.col("geo_country")).then("geo_country").alias("both")
    return found.with_columns(given.alias("given"), settled, numbers.alias("peer_ipv4"), both)


def names_and_texts(draft: Draft, *, is_plain: bool) -> None:
    """Malware and actor by Tocsin's name with the source's word beside; texts without control characters.

    `is_plain`: they are known to be ASCII and to have none.
    """
    for name in (*TEXTS, *NAMES):
        if name not in draft.frame.columns:
            continue
        column = draft.frame[name]
        if not is_plain and _may_be_unsafe(column) and column.str.contains(UNSAFE).any():
            draft.set(**{name: column.str.replace_all(UNSAFE, "")})
        if int(column.str.len_bytes().max() or 0) > LONGEST_TEXT:  # type: ignore[arg-type]
            draft.set(**{name: draft.frame[name].str.slice(0, LONGEST_TEXT // 4)})
    have = draft.frame.columns
    words = [name for name in ("label", "malware", "actor") if name in have]
    if words:
        draft.set(label=pl.coalesce(words))
    kinds: tuple[names.EntityKind, ...] = ("malware", "actor")
    for name in kinds:
        source = name if name in have else "label" if "label" in have else None
        if source is None:
            continue
        ours = names.resolve_series(draft.frame[source], name)
        # A name that nobody knows yet stands for itself where the source says which sort of name it is.
        draft.set(**{name: pl.coalesce(ours, draft.frame[name].str.slice(0, 120)) if name in have else ours})


def _may_be_unsafe(column: pl.Series) -> bool:
    """A quick look that settles nearly every column: plain ASCII text without control characters is safe."""
    is_ascii = column.str.len_bytes().sum() == column.str.len_chars().sum()
    return not is_ascii or bool(column.str.contains(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]").any())


def warning_flags(draft: Draft) -> None:
    """Mark what stands on a warning list; never drop it."""
    draft.set(warnings=warnings.flags(draft.frame.select("kind", "value", "ipv4", "domain")))
