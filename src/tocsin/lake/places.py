"""Whose is it? Claims about where a value is, each kept with its origin, and what two that agree decide.

Claims come from the source, the network registry, a geolocation table, and the country-code domain or the
prefix of a number. Two that agree make the country; where claims differ and none agree, nobody gets the row
before a person has looked (DOMAIN sections 4.7 W11 and 4.9).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

from tocsin.core.words import Basis, Kind
from tocsin.reference.addresses import AddressTables, country_series
from tocsin.reference.countries import all_countries, top_level_domains

CLAIMS = ("stated_country", "registry_country", "geo_country", "tld_country")


def located(ipv4: pl.Series, ipv6: pl.Series | None, tables: AddressTables) -> pl.DataFrame:
    """Columns asn, network, registry_country, geo_country of addresses; null where nothing is known."""
    known = ipv4.is_not_null()
    if known.all():
        return _located_v4(ipv4, tables)
    rows = len(ipv4)
    empty = {"asn": pl.UInt32, "network": pl.String, "registry_country": pl.String, "geo_country": pl.String}
    parts = []
    if known.any():
        row = pl.DataFrame({"row": np.flatnonzero(known.to_numpy())})
        parts.append(row.hstack(_located_v4(ipv4.filter(known), tables)))
    if ipv6 is not None and ipv6.null_count() < rows:
        is_v6 = ipv6.is_not_null()
        parts.append(
            pl.DataFrame({"row": np.flatnonzero(is_v6.to_numpy())}).hstack(_located_v6(ipv6.filter(is_v6), tables))
        )
    if not parts:
        return pl.DataFrame(
            {name: pl.Series([None], dtype=kind).new_from_index(0, rows) for name, kind in empty.items()}
        )
    found = pl.concat(parts) if len(parts) > 1 else parts[0]
    base = pl.DataFrame({"row": np.arange(rows)})
    return base.join(found, on="row", how="left", maintain_order="left").select(
        [pl.col(n).cast(t) for n, t in empty.items()]
    )


def _located_v4(ipv4: pl.Series, tables: AddressTables) -> pl.DataFrame:
    found = tables.lookup_v4(ipv4.to_numpy())
    return pl.DataFrame(
        {
            "asn": found.asn,
            "network": tables.network_texts_v4(found.network),
            "registry_country": country_series().gather(found.registry_country),
            "geo_country": country_series().gather(found.geo_country),
        }
    ).with_columns(pl.when(pl.col("asn") > 0).then("asn").alias("asn"))


def _located_v6(ipv6: pl.Series, tables: AddressTables) -> pl.DataFrame:
    halves = np.frombuffer(b"".join(ipv6.to_list()), dtype=">u8").astype(np.uint64).reshape(-1, 2)
    found = tables.lookup_v6(np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1]))
    return pl.DataFrame(
        {
            "asn": found.asn,
            "network": tables.network_texts_v6(found.network),
            "registry_country": country_series().gather(found.registry_country),
            "geo_country": country_series().gather(found.geo_country),
        }
    ).with_columns(pl.when(pl.col("asn") > 0).then("asn").alias("asn"))


@cache
def _prefix_tables() -> tuple[pl.Series, pl.Series, frozenset[str]]:
    domains = top_level_domains()
    return (
        pl.Series(list(domains)),
        pl.Series(list(domains.values())),
        frozenset(each.code for each in all_countries()),
    )


def prefix_countries(frame: pl.DataFrame) -> pl.Series:
    """What the name or number itself claims: ccTLD of a domain, web or e-mail address, prefix of an IBAN or phone."""
    suffixes, countries, codes = _prefix_tables()
    kinds = frame["kind"]
    named = kinds.is_in([Kind.DOMAIN, Kind.URL, Kind.EMAIL])
    claim = pl.Series("tld_country", [None], dtype=pl.String).new_from_index(0, frame.height)
    if named.any():
        last_label = frame.select(
            pl.coalesce("domain", pl.when(pl.col("kind") == Kind.DOMAIN).then("value")).str.split(".").list.last()
        ).to_series()
        claim = last_label.replace_strict(suffixes, countries, default=None, return_dtype=pl.String)
    if (kinds == Kind.IBAN).any():
        prefix = frame["value"].str.head(2)
        claim = pl.select(
            pl.when((kinds == Kind.IBAN) & prefix.is_in(list(codes))).then(prefix).otherwise(claim)
        ).to_series()
    if (kinds == Kind.PHONE).any():
        claim = pl.select(
            pl.when(kinds == Kind.PHONE).then(_phone_countries(frame["value"])).otherwise(claim)
        ).to_series()
    return claim.alias("tld_country")


def _phone_countries(texts: pl.Series) -> pl.Series:
    import phonenumbers

    distinct = texts.drop_nulls().unique()
    found: list[str | None] = []
    for text in distinct:
        try:
            code = phonenumbers.region_code_for_number(phonenumbers.parse(text, None))
        except phonenumbers.NumberParseException:
            code = None
        found.append(code if code in _prefix_tables()[2] else None)
    return texts.replace_strict(distinct, pl.Series(found, dtype=pl.String), default=None, return_dtype=pl.String)


def decide(claims: pl.DataFrame) -> pl.DataFrame:
    """Columns country and country_basis from the four claims.

    Two claims that agree decide, if no two others agree on something else; one claim alone stands; else conflict.
    """
    columns = [claims[name] for name in CLAIMS if claims[name].null_count() < claims.height]
    if not columns:
        nobody = claims.with_columns(country=pl.lit(None, pl.String), country_basis=pl.lit(Basis.NONE.value))
        return nobody.select("country", "country_basis")
    if len(columns) <= 3:
        return claims.select(*_decided([column.name for column in columns]))
    return claims.select(*_decided([column.name for column in columns])).pipe(_without_ties, claims)


def _decided(names: list[str]) -> tuple[pl.Expr, pl.Expr]:
    agreed: pl.Expr = pl.lit(None, pl.String)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            agreed = pl.when(agreed.is_null() & (pl.col(one) == pl.col(other))).then(pl.col(one)).otherwise(agreed)
    claimed = pl.sum_horizontal([pl.col(name).is_not_null() for name in names])
    alone = pl.when(claimed == 1).then(pl.coalesce(names))
    country = pl.coalesce(agreed, alone)
    basis = (
        pl.when(agreed.is_not_null())
        .then(pl.lit(Basis.AGREED.value))
        .when(claimed == 1)
        .then(pl.lit(Basis.SINGLE.value))
        .when(claimed == 0)
        .then(pl.lit(Basis.NONE.value))
        .otherwise(pl.lit(Basis.CONFLICT.value))
    )
    return country.alias("country"), basis.alias("country_basis")


def _without_ties(decided: pl.DataFrame, claims: pl.DataFrame) -> pl.DataFrame:
    """Four claims, two against two: a conflict."""
    one, two, three, four = (pl.col(name) for name in CLAIMS)
    tie = (
        ((one == two) & (three == four) & (one != three))
        | ((one == three) & (two == four) & (one != two))
        | ((one == four) & (two == three) & (one != two))
    )
    is_tie = claims.select(tie.fill_null(False)).to_series()
    return decided.select(
        pl.when(is_tie).then(None).otherwise(pl.col("country")).alias("country"),
        pl.when(is_tie).then(pl.lit(Basis.CONFLICT.value)).otherwise(pl.col("country_basis")).alias("country_basis"),
    )
