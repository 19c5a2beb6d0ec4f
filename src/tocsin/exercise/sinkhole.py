"""The sinkhole feeds: the bulk of an exercise, written column-wise.

A population of infected machines is drawn once: where each stands, from which day to which it is infected.
Each delivery then samples those that are infected on its day. Before the take-down the sinkhole sees only a
part of the botnet, on the day itself nearly all of it; from then on countries clean their machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import cast

import numpy as np
import numpy.typing as npt
import polars as pl

from .packing import gzipped
from .places import Disputed, Ints, Ranges
from .story import DAYS, TAKEDOWN_DAY, Story, active

IPV4_DAYS = tuple(range(2, DAYS + 1, 2))
IPV6_DAYS = tuple(range(9, DAYS + 1, 9))
IPV6_SHARE = 0.03
CONFLICTS = 400
ROWS_A_PIECE = 250_000

_FIRST_WAVE = frozenset("MX CO PE CL AR BR ES PT EC BO PY UY VE GT CR PA DO HN SV NI CU PR".split())  # noqa: SIM905
_SECOND_WAVE = frozenset(
    "FR DE IT GB NL BE CH AT PL RO HU CZ SK GR BG HR RS SE NO DK FI IE UA MA DZ TN EG TR".split()  # noqa: SIM905
)
_MISTAKEN = ("PT", "UY", "SN", "LA", "LV", "FJ")
"""Countries that a mistaken partner names instead of the right one."""
_DEVICES = (("", ""), ("microsoft", "workstation"), ("generic", "router"), ("", "laptop"))
_SECTORS = (
    ("", ""),
    ("518210", "Communications, Service Provider, and Hosting Service"),
    ("517311", "Communications, Service Provider, and Hosting Service"),
    ("611310", "Education"),
    ("522110", "Finance"),
    ("921190", "Government"),
    ("622110", "Healthcare"),
)
COLUMNS = (  # noqa: SIM905
    "timestamp protocol src_ip src_port src_asn src_geo src_region src_city src_hostname src_naics "
    "src_sector device_vendor device_type device_model dst_ip dst_port dst_asn dst_geo dst_region dst_city "
    "dst_hostname dst_naics dst_sector public_source infection family tag application version event_id"
).split()


@dataclass(frozen=True)
class Population:
    """Infected machines: `hosts` holds their fixed columns; `born` and `clean` are days of the story."""

    hosts: pl.DataFrame
    born: npt.NDArray[np.float64]
    clean: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Report:
    """One daily report: its packed bytes and what is in it."""

    day: int
    version: int
    content: bytes
    rows: int
    repeats: int
    rejections: dict[str, int]


def reports(story: Story, observations: int, version: int = 4) -> Iterator[Report]:
    """The reports of one family of addresses; their `rows` add up to `observations` exactly."""
    days = IPV4_DAYS if version == 4 else IPV6_DAYS
    population = _population(story, observations, version, days)
    infected = [(population.born <= day) & (population.clean > day) for day in days]
    quotas = _quotas([int(machines.sum()) for machines in infected], days, observations)
    conflicts = min(CONFLICTS, observations // 100) if version == 4 else 0
    for place, (day, machines, quota) in enumerate(zip(days, infected, quotas, strict=True)):
        random = story.random(f"sinkhole {version} {day}")
        chosen = random.choice(np.flatnonzero(machines), quota, replace=False)
        share = conflicts * (place + 1) // len(days) - conflicts * place // len(days)
        yield _report(story, population, chosen, day, version, min(share, quota), random)


def visible(day: int) -> float:
    """Share of the botnet that the sinkhole sees on a day."""
    return 0.95 if day >= TAKEDOWN_DAY else 0.35 + 0.15 * day / TAKEDOWN_DAY


def _quotas(alive: list[int], days: tuple[int, ...], observations: int) -> list[int]:
    """Rows of each report, in proportion to what is visible, never more than there are machines."""
    weight = np.array([count * visible(day) for count, day in zip(alive, days, strict=True)])
    shares = np.floor(weight * observations / weight.sum()).astype(np.int64)
    # A report without rows would be byte for byte the one of another day, and so a duplicate.
    wanted = np.minimum(np.maximum(shares, 1), alive)
    missing = observations - int(wanted.sum())
    for place in np.argsort(-wanted, kind="stable"):
        change = int(np.clip(missing, 1 - wanted[place], alive[place] - wanted[place]))
        wanted[place] += change
        missing -= change
    if missing:
        raise AssertionError("the population is too small")
    return [int(count) for count in wanted]


def _population(story: Story, observations: int, version: int, days: tuple[int, ...]) -> Population:
    ranges = story.places.ipv4 if version == 4 else story.places.ipv6
    weights = _country_weights(ranges)
    random = story.random(f"population {version}")
    trial_born, trial_clean = _lives(ranges, random.choice(len(weights), 20_000, p=weights), random)
    seen_each = sum(((trial_born <= day) & (trial_clean > day)).mean() * visible(day) for day in days)
    size = int(observations / seen_each * 1.15) + 40
    countries = random.choice(len(weights), size, p=weights)
    # One machine in each country first, long infected, so that a small exercise spans the world as well.
    everywhere = random.permutation(len(weights))[: size // 3]
    countries[: len(everywhere)] = everywhere
    born, clean = _lives(ranges, countries, random)
    born[:3] = 0
    clean[: len(everywhere)] = np.maximum(clean[: len(everywhere)], TAKEDOWN_DAY + 8)
    clean[:3] = DAYS + 1
    numbers, asns = ranges.draw(countries, random)
    hosts = _hosts(ranges, countries, numbers, asns, version, random)
    # An address drawn twice is one machine; a report then never holds two rows of one by chance.
    once = hosts["src_ip"].is_first_distinct()
    return Population(hosts.filter(once), born[once.to_numpy()], clean[once.to_numpy()])


def _country_weights(ranges: Ranges) -> npt.NDArray[np.float64]:
    """The botnet is strongest where it began; elsewhere it follows a damped count of addresses."""
    weights = np.minimum(ranges.totals, 60e6) ** 0.55
    for place, code in enumerate(ranges.countries):
        weights[place] *= 4.0 if code in _FIRST_WAVE else 1.5 if code in _SECOND_WAVE else 1.0
    shares: npt.NDArray[np.float64] = weights / weights.sum()
    return shares


def _lives(
    ranges: Ranges, countries: Ints, random: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Day of infection and day of cleaning of each machine."""
    order = np.random.default_rng(7).permutation(len(ranges.countries))
    begin = 20 + order * 22 / len(order)
    pace = 5 + order[::-1] * 20 / len(order)
    for place, code in enumerate(ranges.countries):
        begin[place] = 1 if code in _FIRST_WAVE else 12 if code in _SECOND_WAVE else begin[place]
    born = begin[countries] + (TAKEDOWN_DAY + 1 - begin[countries]) * random.random(len(countries)) ** 0.65
    by_chance = born + random.exponential(40, len(countries))
    by_campaign = TAKEDOWN_DAY + 1 + random.exponential(pace[countries])
    return born, np.minimum(by_chance, by_campaign)


def _hosts(
    ranges: Ranges,
    countries: Ints,
    numbers: npt.NDArray[np.uint64],
    asns: Ints,
    version: int,
    random: np.random.Generator,
) -> pl.DataFrame:
    size = len(countries)
    sector = random.choice(len(_SECTORS), size, p=[0.6, 0.1, 0.14, 0.05, 0.04, 0.03, 0.04])
    device = random.choice(len(_DEVICES), size, p=[0.45, 0.3, 0.1, 0.15])
    codes = pl.Series(ranges.countries)
    frame = pl.DataFrame(
        {
            "number": numbers,
            "tail": random.integers(1, 2**32, size, np.uint64),
            "asn": asns,
            "geo": codes.gather(countries),
            "named": random.random(size) < 0.5,
            "naics": pl.Series([item[0] for item in _SECTORS]).gather(sector),
            "sector": pl.Series([item[1] for item in _SECTORS]).gather(sector),
            "vendor": pl.Series([item[0] for item in _DEVICES]).gather(device),
            "device": pl.Series([item[1] for item in _DEVICES]).gather(device),
        }
    )
    address = _ipv4_text if version == 4 else _ipv6_text
    host = pl.format("dyn-{}.{}.isp.example", pl.col("tail").cast(pl.String), pl.col("geo").str.to_lowercase())
    return frame.select(
        src_ip=address(),
        src_asn=pl.when(pl.col("asn") > 0).then("asn"),
        src_geo="geo",
        src_hostname=pl.when("named").then(host),
        src_naics=_filled("naics"),
        src_sector=_filled("sector"),
        device_vendor=_filled("vendor"),
        device_type=_filled("device"),
    )


def _filled(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name))


def _ipv4_text() -> pl.Expr:
    octets = [(pl.col("number") // 2**shift % 256).cast(pl.String) for shift in (24, 16, 8, 0)]
    return pl.concat_str(octets, separator=".")


def _ipv6_text() -> pl.Expr:
    """The /64 network and a random host part. Polars writes no hexadecimal: digits are looked up."""
    digits = pl.Series([f"{number:x}" for number in range(65536)])

    def group(column: str, shift: int) -> pl.Expr:
        number = pl.col(column) // 2**shift % 65536
        return cast(pl.Expr, number.map_batches(lambda numbers: digits.gather(numbers), pl.String))

    return pl.concat_str(
        [group("number", 48), group("number", 32), group("number", 16), group("number", 0), pl.lit("0:0"),
         group("tail", 16), group("tail", 0)],
        separator=":",
    )  # fmt: skip


def _report(
    story: Story,
    population: Population,
    chosen: Ints,
    day: int,
    version: int,
    conflicts: int,
    random: np.random.Generator,
) -> Report:
    rows = len(chosen)
    seconds = np.sort(random.integers(0, 86_400 - 7_200, rows))
    repeats = rows // 5
    copies = np.ones(rows, np.int64)
    copies[random.choice(rows, repeats, replace=False)] = 2

    def pieces() -> Iterator[pl.DataFrame]:
        for start in range(0, rows, ROWS_A_PIECE):
            part = slice(start, start + ROWS_A_PIECE)
            frame = _columns(story, population.hosts[chosen[part]], seconds[part], day, version, random)
            if start == 0:
                frame = _contradicted(frame, story.places.disputed, conflicts, random)
            # A repeat is the whole row once more, right behind the first, as in real feeds.
            yield frame[np.repeat(np.arange(len(frame)), copies[part])]

    bad, rejections = _bad_lines(story, day, version)
    return Report(day, version, gzipped(_written(pieces(), bad)), rows, repeats, rejections)


def _columns(
    story: Story, hosts: pl.DataFrame, seconds: Ints, day: int, version: int, random: np.random.Generator
) -> pl.DataFrame:
    """The report's columns in their order, for machines in the order of their times."""
    rows = len(hosts)
    # Cleaned or not, a machine goes on calling the names that were in use when the botnet was taken down.
    servers = active(story.c2_servers, min(day, TAKEDOWN_DAY))
    names = pl.Series([server.domain for server in servers]).gather(random.integers(0, len(servers), rows))
    midnight = np.datetime64(story.at(day).replace(tzinfo=None), "ms")
    stamps = pl.Series(midnight + (seconds * 1000).astype("timedelta64[ms]"))
    frame = hosts.with_columns(
        timestamp=stamps.dt.strftime("%Y-%m-%d %H:%M:%S"),
        protocol=pl.lit("tcp"),
        src_port=pl.Series(random.integers(1024, 65_536, rows)),
        dst_ip=pl.lit(story.sinkhole_address if version == 4 else story.sinkhole_address_v6),
        dst_port=pl.Series(random.choice([80, 443, 8080], rows)),
        dst_geo=pl.lit("NL"),
        dst_hostname=names,
        public_source=pl.lit("EXERCISE"),
        infection=pl.lit("greyheron"),
        family=pl.lit("greyheron"),
        tag=pl.lit("EXERCISE;greyheron;banking"),
        application=pl.lit("http"),
    )
    missing = [pl.lit(None, pl.String).alias(name) for name in COLUMNS if name not in frame.columns]
    return frame.with_columns(missing).select(COLUMNS)


def _contradicted(
    frame: pl.DataFrame, disputed: Disputed | None, conflicts: int, random: np.random.Generator
) -> pl.DataFrame:
    """Some rows with a stated country that the tables contradict.

    As many rows as `conflicts` says have three claims that all differ. Half as many again stand where the
    tables differ and the partner agrees with one, and half as many where both tables agree against it.
    """
    geo, addresses = frame["src_geo"].to_list(), frame["src_ip"].to_list()
    chosen = random.choice(len(geo), min(2 * conflicts, len(geo)), replace=False)
    for turn, place in enumerate(chosen):
        known = {geo[place]}
        if disputed and turn < conflicts * 3 // 2:
            addresses[place], registry, located = disputed.draw(random)
            known = {registry, located}
            geo[place] = registry if turn % 2 else located
        if turn < conflicts or turn >= conflicts * 3 // 2:
            geo[place] = next(code for code in random.permutation(_MISTAKEN) if code not in known)
    return frame.with_columns(src_geo=pl.Series(geo, dtype=pl.String), src_ip=pl.Series(addresses))


def _bad_lines(story: Story, day: int, version: int) -> tuple[list[str], dict[str, int]]:
    """Broken rows, few and known: a private address, a time to come, a row cut short."""
    if version == 6 or day % 6:
        return [], {}
    stamp = (story.at(day) + timedelta(hours=3)).strftime("%Y-%m-%d %H:%M:%S")
    future = (story.until + timedelta(days=400 + day)).strftime("%Y-%m-%d %H:%M:%S")
    public = story.c2_servers[0].address
    lines = [
        _line(timestamp=stamp, src_ip="10.20.30.40"),
        _line(timestamp=stamp, src_ip="192.168.1.77"),
        _line(timestamp=stamp, src_ip="256.1.1.1"),
        _line(timestamp=future, src_ip=public),
        _line(timestamp=stamp, src_ip=public) + ',,"one cell too many"',
    ]
    return lines, {"not-public": 2, "not-an-address": 1, "time-in-future": 1, "wrong-width": 1}


def _line(**cells: str) -> str:
    """One row by hand, all cells quoted."""
    always = {"protocol": "tcp", "infection": "greyheron", "family": "greyheron", "tag": "EXERCISE;greyheron"}
    row = always | cells
    return ",".join(f'"{row[name]}"' if name in row else "" for name in COLUMNS)


def _written(pieces: Iterator[pl.DataFrame], bad: list[str]) -> Iterator[bytes]:
    """The file in pieces, so that no report needs much memory; bad lines stand after the first piece."""
    for number, piece in enumerate(pieces):
        target = BytesIO()
        piece.write_csv(target, include_header=number == 0, quote_style="non_numeric")
        yield target.getvalue()
        if number == 0 and bad:
            yield ("\n".join(bad) + "\n").encode()
