"""Values to canonical form, a whole column at a time.

The frequent kinds are done by column expressions; the rest, and every value those cannot settle, goes through
`core.values.canonical` once per distinct text. Both ways agree: a property test holds them together.
"""

from __future__ import annotations

import socket

import numpy as np
import polars as pl

from tocsin.core import typed, values
from tocsin.core.errors import InputError
from tocsin.core.words import HASH_KINDS, Kind

UNSAFE = r"[\x00-\x1f\x7f\u{061c}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}]"
CONTROL = r"[\x00-\x1f\x7f]"
IPV4 = r"^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$"
IPV4_LOOSE = r"^[0-9]{1,3}(?:\.[0-9]{1,3}){3}$"
IPV6_LOOSE = r"^\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[0-9A-Za-z]+)?\]?$"
DOMAIN = r"^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$"
URL_PARTS = r"^([a-z][a-z0-9+.-]*)://(?:[^@/?#]*@)?(\[[0-9a-f:.]+\]|[^:/?#@\[\]]+)(?::[0-9]{0,5})?(?:[/?#].*)?$"
DEFANGED = r"(?is)\[|\(|\{|\\\.|^h(?:[x*][xt*]|t[x*])p|^http.*(?:[^\x00-\x7f]|<)|^fxp|^meow|\bdot\b"
"""Signs of a disarmed address. An ordinary web address must show none: there are too many of them."""

_GUESSES: tuple[tuple[str, Kind], ...] = (
    (IPV4_LOOSE, Kind.IPV4),
    (r"^[0-9]{1,3}(?:\.[0-9]{1,3}){3}:[0-9]{1,5}$", Kind.IPV4),
    (r"^[0-9]{1,3}(?:\.[0-9]{1,3}){3}/[0-9]{1,2}$", Kind.NETWORK),
    (r"^[0-9A-Fa-f:]+:[0-9A-Fa-f:]*/[0-9]{1,3}$", Kind.NETWORK),
    (r"^[A-Za-z][A-Za-z0-9+.-]*://", Kind.URL),
    (IPV6_LOOSE, Kind.IPV6),
    (r"^[0-9A-Fa-f]{32}$", Kind.MD5),
    (r"^[0-9A-Fa-f]{40}$", Kind.SHA1),
    (r"^[0-9A-Fa-f]{56}$", Kind.SHA224),
    (r"^[0-9A-Fa-f]{64}$", Kind.SHA256),
    (r"^[0-9A-Fa-f]{96}$", Kind.SHA384),
    (r"^[0-9A-Fa-f]{128}$", Kind.SHA512),
    (r"^(?i)cve-[0-9]{4}-[0-9]{4,7}$", Kind.CVE),
    (r"^(?i)as[0-9]{1,10}$", Kind.ASN),
    (r"^[^@\s/\\]{1,64}@[^@\s/\\]+\.[^@\s/\\]+$", Kind.EMAIL),
    (r"^0x[0-9a-fA-F]{40}$|^(?:bc|ltc)1[02-9ac-hj-np-z]{11,87}$", Kind.WALLET),
    (
        r"^(?:[13LDMGXTr][1-9A-HJ-NP-Za-km-z]{25,34}|t[13][1-9A-HJ-NP-Za-km-z]{33}|(?:bitcoincash:)?[qp][02-9ac-hj-np-z]{41}|[48][1-9A-HJ-NP-Za-km-z]{94})$",
        Kind.WALLET,
    ),
    (r"^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$", Kind.MAC),
    (r"^\+[1-9][0-9 ().-]{6,20}$", Kind.PHONE),
    (r"^(?:\*\.)?[^\s/@:*]+\.[^\s/@:.0-9][^\s/@:.]*\.?$", Kind.DOMAIN),
    (r"^[^\s/@:]+\.[^\s/@:.0-9][^\s/@:.]*(?::[0-9]{1,5})?[/?]", Kind.URL),
    (r"^[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?/", Kind.URL),
    (r"^[^\s/@:]+\.[^\s/@:.0-9][^\s/@:.]*:[0-9]{1,5}$", Kind.DOMAIN),
)


def guess_kinds(texts: pl.Series) -> pl.Series:
    """The kind that each text looks like, null where it looks like none."""
    guess = pl.lit(None, dtype=pl.String)
    for pattern, kind in reversed(_GUESSES):
        guess = pl.when(pl.col("text").str.contains(pattern)).then(pl.lit(kind.value)).otherwise(guess)
    return texts.alias("text").to_frame().select(guess.alias("kind")).to_series()


def refang(texts: pl.Series) -> pl.Series:
    """Undo the usual ways to disarm an address; texts without a sign of it stay as they are."""
    suspicious = texts.str.contains(DEFANGED).fill_null(False)
    if not suspicious.any():
        return texts
    distinct = texts.filter(suspicious).unique()
    whole = pl.Series([typed.refang(text) for text in distinct], dtype=pl.String)
    mended = texts.filter(suspicious).replace_strict(distinct, whole, return_dtype=pl.String)
    return _scatter(texts, np.flatnonzero(suspicious.to_numpy()), mended)


def _scatter(series: pl.Series, at: np.ndarray, values_: pl.Series) -> pl.Series:
    order = pl.DataFrame({"at": at, "new": values_}).with_columns(pl.col("at").cast(pl.UInt32))
    base = series.alias("old").to_frame().with_row_index("at")
    joined = base.join(order, on="at", how="left", maintain_order="left")
    return (
        joined.select(pl.when(pl.col("at").is_in(order["at"].implode())).then("new").otherwise("old"))
        .to_series()
        .alias(series.name)
    )


def ipv4_numbers(texts: pl.Series) -> pl.Series:
    """IPv4 addresses as UInt32; null where the text is none in dotted form without leading zeros."""
    parts = pl.col("part")
    good = texts.str.contains(IPV4)
    number = (
        parts.struct.field("field_0").cast(pl.UInt32, strict=False) * 16777216
        + parts.struct.field("field_1").cast(pl.UInt32, strict=False) * 65536
        + parts.struct.field("field_2").cast(pl.UInt32, strict=False) * 256
        + parts.struct.field("field_3").cast(pl.UInt32, strict=False)
    )
    split = texts.str.split_exact(".", 3).alias("part")
    return (
        pl.DataFrame([split, good.alias("good")]).select(pl.when(pl.col("good")).then(number).alias("ipv4")).to_series()
    )


def ipv6_bytes(text: str) -> bytes | None:
    """The 16 bytes of an IPv6 address, None when the text is none."""
    try:
        return socket.inet_pton(socket.AF_INET6, text.strip("[]").partition("%")[0])
    except (OSError, ValueError):
        return None


def canonical_column(kind: Kind, texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Canonical values of one kind, and the reason for each that has none (null where it has one)."""
    quick = _quick(kind, texts)
    if quick is None:
        return _slow(kind, texts)
    left = quick.is_null() & texts.is_not_null()
    if not left.any():
        return quick, pl.Series("reason", [None], dtype=pl.String).new_from_index(0, len(texts))
    slow, reasons = _slow(kind, texts.filter(left))
    at = np.flatnonzero(left.to_numpy())
    empty = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, len(texts))
    return _scatter(quick, at, slow), _scatter(empty, at, reasons)


def _quick(kind: Kind, texts: pl.Series) -> pl.Series | None:
    """What column expressions settle for certain; null elsewhere. None: the kind has no quick way."""
    column = pl.col("text")
    frame = texts.alias("text").to_frame()
    if kind is Kind.IPV4:
        rule = pl.when(column.str.contains(IPV4)).then(column)
    elif kind is Kind.DOMAIN:
        lower = column.str.to_lowercase()
        fits = lower.str.contains(DOMAIN) & (lower.str.len_bytes() <= 253)
        rule = pl.when(fits).then(lower)
    elif kind is Kind.URL:
        # Already canonical: lower-case scheme and an ASCII host that is a domain name or an IPv4 address.
        host = column.str.extract(URL_PARTS, 2)
        plain = host.str.contains(DOMAIN) | host.str.contains(IPV4)
        rule = pl.when(
            plain
            & ~column.str.contains(UNSAFE)
            & ~column.str.contains(" ")
            & (column.str.len_chars() <= values.LONGEST)
        ).then(column)
    elif kind in HASH_KINDS:
        lower = column.str.to_lowercase()
        rule = pl.when(lower.str.contains(rf"^[0-9a-f]{{{HASH_KINDS[kind]}}}$")).then(lower)
    elif kind in {
        Kind.FILENAME,
        Kind.MUTEX,
        Kind.REGISTRY_KEY,
        Kind.USER_AGENT,
        Kind.ACCOUNT,
        Kind.ORGANISATION,
        Kind.OTHER,
        Kind.SSDEEP,
        Kind.TLSH,
    }:
        bare = column.str.strip_chars()
        rule = pl.when((bare.str.len_chars() <= values.LONGEST) & (bare != "") & ~bare.str.contains(CONTROL)).then(bare)
    else:
        return None
    return frame.select(rule.alias(texts.name)).to_series()


def _slow(kind: Kind, texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Once per distinct text through the plain reference."""
    distinct = texts.drop_nulls().unique()
    forms: list[str | None] = []
    reasons: list[str | None] = []
    for text in distinct:
        try:
            forms.append(values.canonical(kind, text))
            reasons.append(None)
        except InputError as error:
            forms.append(None)
            reasons.append(error.reason)
    table = pl.DataFrame(
        {"text": distinct, "form": forms, "reason": reasons},
        schema={"text": pl.String, "form": pl.String, "reason": pl.String},
    )
    joined = texts.alias("text").to_frame().join(table, on="text", how="left", maintain_order="left")
    return joined["form"].alias(texts.name), joined["reason"]
