"""A lake of generated observations for tests and benchmarks: same seed, same rows.

Values come from ranges that nobody owns (10.0.0.0/8 is used as a stand-in where a test needs more addresses than
the documentation ranges hold) and from `.example` names. Countries follow Zipf's law: few large, many small.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from tocsin.core.observations import SCHEMA

START_AT = datetime(2026, 11, 10, tzinfo=UTC)
ROLES = ("VICTIM", "ATTACKER_INFRA", "COMPROMISED_THIRD_PARTY", "UNKNOWN", "SINKHOLE")
TYPES = (
    "infected-system", "c2-server", "phishing", "scanner", "brute-force", "vulnerable-system", "malware-distribution",
)  # fmt: skip
MALWARE = ("Emotet", "QakBot", "Mirai", "LockBit", "Formbook", "Agent Tesla", "Cobalt Strike", "Lumma Stealer")
LURE_CELLS = ("=1+1", "+2", "-3", "@SUM(A1)", "\tx", "a‮b", 'say "so", twice', "plain; text", "ماليزيا")


def rows(count: int, countries: Sequence[str], *, seed: int = 7, batches: int = 40, days: int = 7) -> pl.DataFrame:
    """`count` rows in the schema of the lake, from `batches` batches numbered from 1."""
    random = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, len(countries) + 1) ** 0.9
    weights /= weights.sum()
    codes = pl.Series("codes", list(countries), dtype=pl.String)

    def one_of(words: Sequence[str], empty: float = 0.0, p: Sequence[float] | None = None) -> pl.Series:
        picked = pl.Series(list(words), dtype=pl.String).gather(random.choice(len(words), count, p=p).astype(np.uint32))
        if not empty:
            return picked
        keep = pl.Series(random.random(count) >= empty)
        return pl.select(pl.when(keep).then(picked)).to_series()

    country = codes.gather(random.choice(len(countries), count, p=weights).astype(np.uint32))
    kind_number = random.random(count)
    address = (10 << 24) + random.integers(0, max(count // 2, 16), count)
    number = random.integers(0, max(count // 4, 8), count)
    seen = random.integers(0, days * 86_400, count)
    frame = pl.DataFrame(
        {
            "batch": random.integers(1, batches + 1, count),
            "position": np.arange(1, count + 1),
            "seen": seen,
            "lasted": random.integers(0, 7_200, count),
            "count": random.integers(1, 40, count),
            "address": address.astype(np.uint32),
            "number": number,
            "kind": np.select([kind_number < 0.7, kind_number < 0.85], ["ipv4", "domain"], "url"),
            "asn": random.integers(64_512, 64_900, count).astype(np.uint32),
            "port": random.choice([22, 80, 443, 445, 8080], count).astype(np.uint16),
            "peer_number": random.integers(0, 65_536, count).astype(np.uint32),
        }
    ).with_columns(
        country=country,
        role=one_of(ROLES, p=(0.5, 0.25, 0.1, 0.1, 0.05)),
        type=one_of(TYPES),
        malware=one_of(MALWARE, empty=0.4),
        target_country=one_of(list(countries)[: max(2, len(countries) // 4)], empty=0.9),
        peer_country=one_of(list(countries)[: max(2, len(countries) // 4)], empty=0.5),
        peer_role=one_of(ROLES, empty=0.4),
        note=one_of(LURE_CELLS, empty=0.995),
        hostname=one_of(("host.isp.example", "dsl.isp.example"), empty=0.6),
        tags=one_of(("botnet; loader", "stealer"), empty=0.7),
        extra=one_of(('{"sector":"health"}', '{"dst_ip":"192.0.2.7"}'), empty=0.8),
        severity=one_of(("high", "medium", "low"), empty=0.3),
    )
    dotted = pl.concat_str([(pl.col("address") // 2**shift) % 256 for shift in (24, 16, 8, 0)], separator=".")
    host = pl.format("h{}.phish.example", pl.col("number"))
    is_address = pl.col("kind") == "ipv4"
    first_at = pl.lit(START_AT).dt.cast_time_unit("us") + pl.duration(seconds="seen")
    made = frame.with_columns(
        first_at=first_at,
        last_at=first_at + pl.duration(seconds="lasted"),
        value=pl.when(is_address)
        .then(dotted)
        .when(pl.col("kind") == "domain")
        .then(host)
        .otherwise(pl.format("https://{}/login", host)),
        ipv4=pl.when(is_address).then("address"),
        domain=pl.when(~is_address).then(pl.lit("phish.example")),
        offence=pl.lit("illegal-access"),
        country_basis=pl.lit("agreed"),
        registry_country="country",
        geo_country="country",
        network=pl.when(is_address).then(pl.format("10.{}.0.0/16", (pl.col("address") // 65_536) % 256)),
        protocol=pl.lit("tcp"),
        peer=pl.when(pl.col("peer_role").is_not_null()).then(pl.format("198.51.100.{}", pl.col("peer_number") % 256)),
        warnings=pl.lit(0, dtype=pl.UInt32),
    )
    return made.select(
        (pl.col(name) if name in made.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in SCHEMA.items()
    )


def write_lake(
    folder: Path, count: int, countries: Sequence[str], *, rows_per_file: int = 1_000_000, seed: int = 7
) -> tuple[Path, ...]:
    """Parquet files of `count` rows together, sorted as the lake's compaction leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, start in enumerate(range(0, count, rows_per_file)):
        path = folder / f"part-{number:04d}.parquet"
        part = rows(min(rows_per_file, count - start), countries, seed=seed + number)
        part.sort("kind", "value").write_parquet(path, compression="zstd", compression_level=1)
        files.append(path)
    return tuple(files)
