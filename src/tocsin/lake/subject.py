"""What a row is about: the kind, the canonical value, its numbers, its registrable domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tocsin.core.suffixes import registrable
from tocsin.core.words import HASH_KINDS, Kind
from tocsin.reference.special import is_public_v4, is_public_v6

from . import canonical

if TYPE_CHECKING:
    from .normalise import Draft

ADDRESS_HOST = r"^[a-z0-9+.-]+://(?:[^@/?#]*@)?([0-9]{1,3}(?:\.[0-9]{1,3}){3})(?:[:/?#]|$)"
HOST_PORT = r"^([0-9]{1,3}(?:\.[0-9]{1,3}){3}|[^\s/@:]+\.[^\s/@:.]+):([0-9]{1,5})$"
LOOSE_KINDS = {
    "ip": None,
    "address": None,
    "hash": None,
    "host": None,
    "ioc": None,
    "auto": None,
    "hostname": "domain",
}
"""Words for a kind that leave it to the value."""
PLAIN = (Kind.IPV4, Kind.IPV6, Kind.NETWORK, Kind.DOMAIN, Kind.URL, Kind.EMAIL, *HASH_KINDS)
"""Kinds that a value shows for certain."""
MISNAMED = (*PLAIN, Kind.IMPHASH, Kind.SSDEEP, Kind.TLSH)
"""Kinds that sources confuse with one another: the value is believed rather than the word."""
NAMED = (Kind.DOMAIN, Kind.URL, Kind.EMAIL)
DOCUMENTATION = ((0xC0000200, 0xC00002FF), (0xC6336400, 0xC63364FF), (0xCB007100, 0xCB0071FF))
"""RFC 5737: no machine has them, but exercises and manuals do; kept, flagged, of no country."""


def settle(draft: Draft) -> None:
    """Give every row `kind`, `value`, `ipv4`, `ipv6`, `domain`; refuse those whose value is none."""
    if "value" not in draft.frame.columns:
        draft.set(value=pl.lit(None, dtype=pl.String))
    empty = draft.frame["value"].is_null() | (draft.frame["value"] == "")
    draft.refuse(empty, "value", "no-value")
    if not _are_plain_addresses(draft):
        draft.set(value=canonical.refang(_stripped(draft.frame["value"])))
        _kinds(draft)
        _split_ports(draft)
        _values(draft)
    _numbers(draft)
    _refuse_not_public(draft)
    draft.set(domain=_domains(draft.frame))


def _are_plain_addresses(draft: Draft) -> bool:
    """The bulk case settled in one step: every row says IPv4 and every value is one in canonical form."""
    frame = draft.frame
    if "kind" not in frame.columns or not frame.height or not frame["kind"].eq_missing(Kind.IPV4.value).all():
        return False
    numbers = canonical.ipv4_numbers(frame["value"])
    if numbers.null_count():
        return False
    draft.set(ipv4=numbers)
    return True


def _stripped(texts: pl.Series) -> pl.Series:
    return texts.str.strip_chars() if texts.str.contains(r"^\s|\s$").any() else texts


def _kinds(draft: Draft) -> None:
    """Known words stand; loose or missing ones are settled by what the value looks like."""
    kinds = draft.frame["kind"] if "kind" in draft.frame.columns else None
    if kinds is None:
        draft.set(kind=canonical.guess_kinds(draft.frame["value"]))
    else:
        words = kinds.drop_nulls().unique()
        known = {kind.value for kind in Kind}
        mapped = [word.lower() if word.lower() in known else LOOSE_KINDS.get(word.lower()) for word in words]
        strange = [word for word in words if word.lower() not in known and word.lower() not in LOOSE_KINDS]
        draft.refuse(kinds.is_in(strange), "kind", "not-a-kind")
        settled = draft.frame["kind"].replace_strict(
            words, pl.Series(mapped, dtype=pl.String), default=None, return_dtype=pl.String
        )
        # A single family word such as "ipv4-addr" may stand for either family or a network in practice.
        addresses = settled.is_in([Kind.IPV4, Kind.IPV6])
        if addresses.any() and (
            draft.frame["value"].filter(addresses).str.contains(r"[:/]").any() or settled.eq(Kind.IPV6).any()
        ):
            guessed = canonical.guess_kinds(draft.frame["value"])
            narrow = guessed.is_in([Kind.IPV4, Kind.IPV6, Kind.NETWORK])
            settled = pl.select(pl.when(addresses & narrow).then(guessed).otherwise(settled)).to_series()
        if settled.null_count():
            settled = pl.select(pl.coalesce(settled, canonical.guess_kinds(draft.frame["value"]))).to_series()
        draft.set(kind=settled)
    unknown = draft.frame["kind"].is_null()
    if unknown.any():
        path = draft.frame["value"].str.starts_with("/")
        masked = draft.frame["value"].str.contains(r"\*|^\[.*\]$|^<.*>$|^-+$|^x{3,}$")
        reason = pl.select(
            pl.when(masked)
            .then(pl.lit("placeholder"))
            .when(path)
            .then(pl.lit("path-without-host"))
            .otherwise(pl.lit("not-a-value"))
        ).to_series()
        draft.refuse(unknown, "value", reason)


def _split_ports(draft: Draft) -> None:
    """203.0.113.9:8080 is an address and a port."""
    frame = draft.frame
    joined = frame["kind"].is_in([Kind.IPV4, Kind.DOMAIN]) & frame["value"].str.contains(HOST_PORT)
    if not joined.any():
        return
    port: pl.Expr = pl.when(joined).then(pl.col("value").str.extract(HOST_PORT, 2))
    if "port" in frame.columns:
        port = pl.coalesce(pl.col("port").cast(pl.String), port)
    value = pl.when(joined).then(pl.col("value").str.extract(HOST_PORT, 1)).otherwise("value")
    draft.set(port=port, value=value)


def _values(draft: Draft) -> None:
    """Canonical values, kind by kind; the order of rows stays. A value that is plainly of another kind takes that."""
    kinds = draft.frame["kind"].unique().to_list()
    if not kinds:
        return
    if kinds == [Kind.IPV4]:
        numbers = canonical.ipv4_numbers(draft.frame["value"])
        if not numbers.null_count():
            draft.set(ipv4=numbers)
            return
    forms, reason = _canonical(draft.frame["kind"], draft.frame["value"])
    if reason.null_count() < len(reason):
        forms, reason = _otherwise(draft, forms, reason)
    draft.refuse(reason.is_not_null(), "value", reason)
    draft.set(value=forms.filter(reason.is_null()))


def _canonical(kinds: pl.Series, values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The canonical form of each value by its kind, and the reason where it has none."""
    distinct = kinds.unique().to_list()
    if len(distinct) == 1:
        return canonical.canonical_column(Kind(distinct[0]), values)
    pieces = []
    for kind in sorted(distinct):
        at = np.flatnonzero((kinds == kind).to_numpy())
        forms, reasons = canonical.canonical_column(Kind(kind), values.gather(at))
        pieces.append(pl.DataFrame({"at": at, "form": forms, "reason": reasons}))
    settled = pl.concat(pieces).sort("at")
    return settled["form"], settled["reason"]


def _otherwise(draft: Draft, forms: pl.Series, reason: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Values that are none of their stated kind, but plainly of another one: an address in a list of domains."""
    tried = np.flatnonzero((reason.is_not_null() & draft.frame["kind"].is_in(MISNAMED)).to_numpy())
    texts = draft.frame["value"].gather(tried)
    again = pl.DataFrame({"at": tried, "old": draft.frame["kind"].gather(tried), "text": texts})
    again = again.with_columns(guess=canonical.guess_kinds(texts)).filter(
        pl.col("guess").is_in(PLAIN) & (pl.col("guess") != pl.col("old"))
    )
    if not again.height:
        return forms, reason
    new_forms, new_reason = _canonical(again["guess"], again["text"])
    again = again.with_columns(new_forms.alias("new"), new_reason.alias("why")).filter(pl.col("why").is_null())
    settled = (
        pl.DataFrame({"at": np.arange(len(forms)), "kind": draft.frame["kind"], "form": forms, "reason": reason})
        .join(again, on="at", how="left", maintain_order="left")
        .select(
            pl.coalesce("guess", "kind").alias("kind"),
            pl.coalesce("new", "form").alias("form"),
            pl.when(pl.col("new").is_null()).then("reason").alias("reason"),
        )
    )
    draft.set(kind=settled["kind"])
    return settled["form"], settled["reason"]


def _numbers(draft: Draft) -> None:
    """The address as a number: of an address, a network's first address, or a web address's host."""
    frame = draft.frame
    kinds = set(frame["kind"].unique().to_list())
    if "ipv4" not in frame.columns:
        ways: list[pl.Expr] = [pl.when(pl.col("kind") == Kind.IPV4).then("value")]
        if Kind.NETWORK in kinds:
            ways.append(pl.when(pl.col("kind") == Kind.NETWORK).then(pl.col("value").str.split("/").list.first()))
        if Kind.URL in kinds:
            ways.append(pl.when(pl.col("kind") == Kind.URL).then(pl.col("value").str.extract(ADDRESS_HOST, 1)))
        host = pl.coalesce(ways)
        draft.set(ipv4=canonical.ipv4_numbers(frame.select(host.alias("host")).to_series()))
    numbers = pl.Series("ipv6", [None], dtype=pl.Binary).new_from_index(0, frame.height)
    if Kind.IPV6 in kinds or Kind.NETWORK in kinds:
        first = frame.select(
            pl.when(pl.col("kind").is_in([Kind.IPV6, Kind.NETWORK])).then(pl.col("value").str.split("/").list.first())
        ).to_series()
        distinct = first.drop_nulls().unique()
        made = pl.DataFrame(
            {"text": distinct, "ipv6": [canonical.ipv6_bytes(text) for text in distinct]},
            schema={"text": pl.String, "ipv6": pl.Binary},
        )
        numbers = first.alias("text").to_frame().join(made, on="text", how="left", maintain_order="left")["ipv6"]
    draft.set(ipv6=numbers)


def _refuse_not_public(draft: Draft) -> None:
    frame = draft.frame
    ipv4 = frame["ipv4"]
    known = ipv4.is_not_null().to_numpy()
    numbers = ipv4.fill_null(0).to_numpy()
    documentation = np.zeros(len(numbers), dtype=bool)
    for first, last in DOCUMENTATION:
        documentation |= (numbers >= first) & (numbers <= last)
    hidden = known & ~is_public_v4(numbers) & ~documentation
    ipv6 = frame["ipv6"]
    if ipv6.null_count() < len(ipv6):
        at = np.flatnonzero(ipv6.is_not_null().to_numpy())
        halves = np.frombuffer(b"".join(ipv6.drop_nulls().to_list()), dtype=">u8").astype(np.uint64).reshape(-1, 2)
        example = (halves[:, 0] >> np.uint64(32)) == np.uint64(0x20010DB8)
        hidden[at] |= ~is_public_v6(np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1])) & ~example
    draft.refuse(pl.Series(hidden), "value", "not-public")


def _domains(frame: pl.DataFrame) -> pl.Series:
    """The registrable domain; null for what has none."""
    named = frame["kind"].is_in(NAMED)
    if not named.any():
        return pl.Series("domain", [None], dtype=pl.String).new_from_index(0, frame.height)
    host = (
        pl.when(pl.col("kind") == Kind.DOMAIN)
        .then("value")
        .when(pl.col("kind") == Kind.EMAIL)
        .then(pl.col("value").str.extract(r"@(.+)$", 1))
        .when((pl.col("kind") == Kind.URL) & pl.col("ipv4").is_null())
        .then(pl.col("value").str.extract(r"^[a-z0-9+.-]+://(?:[^@/?#]*@)?([^:/?#\[\]]+)", 1))
    )
    return registrable(frame.select(host.alias("domain")).to_series()).alias("domain")
