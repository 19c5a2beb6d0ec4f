"""Every question of the lake in SQL, over the same rows in the clear: a way of its own to each answer.

`agree` asks an engine and DuckDB and compares; the tests of each question, and `test_spark`, compare with plain loops.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import polars as pl
from tests.generated_lake import rows

from tocsin.core.observations import SCHEMA
from tocsin.core.words import VICTIM_LIKE
from tocsin.lake.questions.contributions import DELAY_HOURS, Contribution, contributions
from tocsin.lake.questions.extract import rows_under, values_under
from tocsin.lake.questions.lookup import Asked, Sight, asked_for, lookup
from tocsin.lake.questions.networks import networks
from tocsin.lake.questions.recent import Place, recent
from tocsin.lake.questions.shared_values import shared_values
from tocsin.lake.questions.shares import COLUMNS, spread_shares
from tocsin.lake.scope import HIDDEN_WITH_PEER, Batches, Scope, Snapshot

VICTIMS = sorted(role.value for role in VICTIM_LIKE)
SOURCES = 4


def world(seed: int, countries: Sequence[str], batches: int, count: int = 1_500) -> pl.DataFrame:
    """Generated rows, some of them without a system, few systems with many networks, some about what others warn of."""
    return rows(count, countries, seed=seed, batches=batches).with_columns(
        asn=pl.when(pl.col("position") % 11 > 0).then(pl.lit(64_500, pl.UInt32) + pl.col("asn") % 5),
        peer_ipv4=_number(pl.col("peer")),
        warnings=pl.when(pl.col("position") % 13 == 0).then(pl.lit(4)).cast(SCHEMA["warnings"]),
    )


def _number(text: pl.Expr) -> pl.Expr:
    """An address as a number; null for any other text."""
    octets = text.str.extract_groups(r"^(\d+)\.(\d+)\.(\d+)\.(\d+)$")
    parts = [octets.struct[place].cast(pl.UInt32) * 256 ** (3 - place) for place in range(4)]
    return pl.sum_horizontal(*parts, ignore_nulls=False).cast(pl.UInt32)


def _list(values: Any, kind: str) -> str:
    return f"[{', '.join(str(each) if kind == 'BIGINT' else repr(each) for each in sorted(values))}]::{kind}[]"


def _free(scope: Scope, country: str) -> str:
    """Whether rows of victims are open: by the desk, by whose batch it is, by the country in that column."""
    return (
        f"({str(scope.all_victims).lower()} OR list_contains({_list(scope.own_batches, 'BIGINT')}, batch)"
        f" OR list_contains({_list(scope.victim_countries, 'VARCHAR')}, coalesce({country}, '')))"
    )


class World:
    """Generated rows as a table of DuckDB, and what its sources are."""

    def __init__(self, table: pl.DataFrame, now: datetime) -> None:
        self.rows = table.to_dicts()
        self.now = now
        self._sql = duckdb.connect()
        self._sql.execute("SET TimeZone = 'UTC'")
        told = table.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)).to_arrow()
        self._sql.register("told", told)
        self._sql.execute("CREATE TABLE everything AS SELECT * FROM told")
        numbers = sorted(set(table["batch"].to_list()))
        self.batches = pl.DataFrame(
            [(each, each % SOURCES, now - timedelta(days=each * 3), each % 5 > 0) for each in numbers if each % 7],
            schema={"batch": pl.Int64, "source": pl.Int32, "received_at": pl.Datetime("us", "UTC"),
                    "is_compared": pl.Boolean}, orient="row",
        )  # fmt: skip
        self._sql.register("batches_told", self.batches.to_arrow())
        self._sql.execute("CREATE TABLE batches AS SELECT * FROM batches_told")

    def asked(self, statement: str, *told: Any) -> list[tuple[Any, ...]]:
        return self._sql.execute(statement, list(told)).fetchall()

    def seen(self, scope: Scope) -> str:
        """The rows that the asker sees, as that asker sees them."""
        victims = _list(VICTIMS, "VARCHAR")
        guarded = f"(peer IS NOT NULL AND coalesce(list_contains({victims}, peer_role), true))"
        hidden = f"({guarded} AND NOT {_free(scope, 'peer_country')})"
        shown = [f"CASE WHEN {hidden} THEN NULL ELSE {name} END AS {name}" for name in (*HIDDEN_WITH_PEER, "peer_ipv4")]
        return (
            f"(SELECT * REPLACE ({', '.join(shown)}) FROM everything"
            f" WHERE list_contains({_list(scope.batches, 'BIGINT')}, batch)"
            f" AND (NOT list_contains({victims}, role) OR {_free(scope, 'country')}))"
        )


def agree(snapshot: Snapshot, world: World, scope: Scope, folder: Path) -> None:
    """Every question, asked of the engine and in SQL."""
    for ask in (_networks, _look_ups, _newest, _few_batches, _shared):
        ask(snapshot, world, scope, folder)


def agree_without_scope(snapshot: Snapshot, world: World, scopes: dict[str, Scope], folder: Path) -> None:
    """The questions that are asked for nobody, or for all countries at once."""
    _contributions(snapshot, world, folder)
    _shares(snapshot, world, scopes, folder)


def _networks(snapshot: Snapshot, world: World, scope: Scope, folder: Path) -> None:
    since = world.now - timedelta(days=9)
    found = networks(snapshot, scope, country="FR", since=since, most=1_000)
    said = world.asked(
        f"""WITH mine AS (SELECT coalesce(asn, 0) AS asn, coalesce(network, '') AS network, value, last_at
                          FROM {world.seen(scope)} WHERE country = 'FR' AND last_at >= ?),
            lines AS (SELECT asn, network, count(*) AS n, count(DISTINCT value) AS v FROM mine GROUP BY ALL)
            SELECT asn, sum(n), sum(v), count(*) FILTER (network <> '') FROM lines GROUP BY asn
            ORDER BY asn = 0, sum(n) DESC, asn""",
        since,
    )
    assert [(each.asn, each.rows, each.values, each.networks_count) for each in found] == said
    newest = {
        (asn, network): (n, value)
        for asn, network, n, value in world.asked(
            f"""SELECT coalesce(asn, 0), network, count(*), arg_max(value, (last_at, value)) FROM {world.seen(scope)}
                WHERE country = 'FR' AND last_at >= ? AND network IS NOT NULL GROUP BY ALL""",
            since,
        )
    }
    for each in found:
        for one in each.networks:
            assert newest[each.asn, one.text] == (one.rows, one.newest)


def _look_ups(snapshot: Snapshot, world: World, scope: Scope, folder: Path) -> None:
    url = next(row["value"] for row in world.rows if row["kind"] == "url")
    address = next(row["value"] for row in world.rows if row["kind"] == "ipv4")
    peer = next(row["peer"] for row in world.rows if row["peer_ipv4"] is not None)
    for kind, value in (("network", "10.0.0.0/23"), ("ipv4", address), ("ipv4", peer), ("url", url),
                        ("domain", "phish.example"), ("domain", "nobody.example")):  # fmt: skip
        _look_up(snapshot, world, scope, asked_for(kind, value), *_about(kind, value))
    _look_up(snapshot, world, scope, Asked(names=("mirai",)), "lower(malware) = 'mirai'", [])


def _about(kind: str, value: str) -> tuple[str, list[Any]]:
    """What rows about a value fulfil. The worlds have no rows about networks."""
    texts = [value] if kind != "url" else [value, urlsplit(value).hostname]
    host = "CASE WHEN kind = 'url' THEN regexp_extract(value, '^[a-z]+://([^/:]+)', 1) END"
    of_text = " OR ".join(f"{column} = ANY(?)" for column in ("value", "peer", "domain", host))
    if kind != "network":
        return of_text, [texts] * 4
    network = ipaddress.ip_network(value)
    span = [int(network.network_address), int(network.broadcast_address)]
    return "ipv4 BETWEEN ? AND ? OR peer_ipv4 BETWEEN ? AND ?", [*span, *span]


def _look_up(snapshot: Snapshot, world: World, scope: Scope, asked: Asked, about: str, told: Sequence[Any]) -> None:
    found = lookup(snapshot, Sight(scope), asked, most_rows=25)
    hits = f"(SELECT * FROM {world.seen(scope)} WHERE {about})"
    ((total, sightings, first, last),) = world.asked(
        f"SELECT count(*), coalesce(sum(count), 0), min(first_at), max(last_at) FROM {hits}", *told
    )
    assert (found.total, found.sightings) == (total, sightings)
    assert (found.first_at, found.last_at) == (first, last)
    for mine, column in ((found.by_batch, "batch"), (found.by_role, "role"), (found.by_country, "country")):
        sums = world.asked(f"SELECT coalesce({column}::VARCHAR, ''), count(*) FROM {hits} GROUP BY 1", *told)
        assert {str(name): rows for name, rows in mine.items()} == dict(sums)
    newest = world.asked(f"SELECT last_at FROM {hits} ORDER BY last_at DESC LIMIT 25", *told)
    assert [row["last_at"] for row in found.rows.to_dicts()] == [each for (each,) in newest]
    shown = world.asked(f"SELECT position, peer FROM {hits}", *told)
    assert {(row["position"], row["peer"]) for row in found.rows.to_dicts()} <= set(shown)


def _newest(snapshot: Snapshot, world: World, scope: Scope, folder: Path) -> None:
    said = world.asked(f"SELECT batch, position, peer, note FROM {world.seen(scope)} ORDER BY 1 DESC, 2 DESC LIMIT 500")
    got: list[tuple[Any, ...]] = []
    before: Place | None = None
    for _ in range(2):
        page = recent(snapshot, scope, before=before, limit=250)
        got += page.rows.select("batch", "position", "peer", "note").rows()
        before = page.after
        if before is None:
            break
    assert got == said


def _few_batches(snapshot: Snapshot, world: World, scope: Scope, folder: Path) -> None:
    batches = Batches({2, 5, 9})
    inner = _list(batches, "BIGINT")
    said = world.asked(
        f"SELECT batch, position, value, peer, extra FROM {world.seen(scope)}"
        f" WHERE list_contains({inner}, batch) ORDER BY 1, 2"
    )
    found = rows_under(snapshot, scope, batches, len(said))
    assert found is not None
    assert found.select("batch", "position", "value", "peer", "extra").rows() == said
    values = world.asked(
        f"""SELECT batch, kind, value, role FROM everything WHERE list_contains({inner}, batch) UNION
            SELECT batch, NULL, peer, coalesce(peer_role, 'UNKNOWN') FROM everything
            WHERE list_contains({inner}, batch) AND peer IS NOT NULL"""
    )
    assert Counter(values_under(snapshot, batches).rows()) == Counter(values)


def _shared(snapshot: Snapshot, world: World, scope: Scope, folder: Path) -> None:
    sources = world.batches.select("batch", pl.col("source").cast(pl.Int64))
    folder.mkdir(parents=True, exist_ok=True)
    found = shared_values(snapshot, scope, sources, work=folder, most=50)
    groups = (
        f"(SELECT kind, value, list_sort(list(DISTINCT source)) AS sources, count(*) AS n, min(first_at) AS first,"
        f" max(last_at) AS last FROM {world.seen(scope)} JOIN batches USING (batch) GROUP BY kind, value)"
    )
    ((rows, values),) = world.asked(f"SELECT coalesce(sum(n), 0), count(*) FROM {groups}")
    assert (found.rows, found.values) == (rows, values)
    by_sources = world.asked(f"SELECT len(sources), count(*) FROM {groups} WHERE len(sources) > 1 GROUP BY 1")
    assert found.by_sources == dict(by_sources)
    told = {(kind, value): rest for kind, value, *rest in world.asked(f"SELECT * FROM {groups}")}
    for each in found.most:
        assert told[each.kind, each.value] == [list(each.sources), each.rows, each.first_at, each.last_at]
    most = world.asked(f"SELECT len(sources), n FROM {groups} WHERE len(sources) > 1 ORDER BY 1 DESC, 2 DESC LIMIT 50")
    assert [(len(each.sources), each.rows) for each in found.most] == most


def _contributions(snapshot: Snapshot, world: World, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    found = contributions(snapshot, world.batches, spans=(15, 365), now=world.now, work=folder)
    expected: dict[tuple[int, int], Contribution] = {}
    hours = "(epoch(received_at - first_at)::BIGINT // 60 / 60.0)"
    column = " + ".join(f"({hours} > {bound})::INT" for bound in DELAY_HOURS)
    for days in (15, 365):
        since = world.now - timedelta(days=days)
        rows = f"(SELECT * FROM everything JOIN batches USING (batch) WHERE received_at >= '{since.isoformat()}')"
        for source, n, warned in world.asked(
            f"SELECT source, count(*), count(*) FILTER (coalesce(warnings, 0) <> 0) FROM {rows} GROUP BY 1"
        ):
            expected[source, days] = Contribution(rows=n, rows_warned=warned)
        for source, delay, n in world.asked(
            f"SELECT source, {column}, count(*) FROM {rows} WHERE first_at < received_at GROUP BY ALL"
        ):
            expected[source, days].delays[delay] += n
            expected[source, days].rows_timed += n
        for source, *values in world.asked(
            """WITH firsts AS (SELECT kind, value, source, min(received_at) AS own,
                                      min(received_at) FILTER (is_compared) AS compared
                               FROM everything JOIN batches USING (batch) GROUP BY ALL),
               others AS (SELECT a.source, a.own, min(b.compared) AS other FROM firsts a LEFT JOIN firsts b
                          ON a.kind = b.kind AND a.value = b.value AND a.source <> b.source
                          GROUP BY a.kind, a.value, a.source, a.own)
               SELECT source, count(*), count(other), count(*) FILTER (other < own), count(*) FILTER (own < other)
               FROM others WHERE own >= ? GROUP BY 1""",
            since,
        ):
            each = expected[source, days]
            each.values_new, each.values_shared, each.values_known, each.values_first = values
        compared = {source for (source,) in world.asked(f"SELECT DISTINCT source FROM {rows} WHERE is_compared")}
        for (source, span), each in expected.items():
            if span == days:
                each.others = len(compared - {source})
    assert found == expected


def _shares(snapshot: Snapshot, world: World, scopes: dict[str, Scope], folder: Path) -> None:
    found = spread_shares(snapshot, scopes, list(scopes), folder / "shares")
    victims = _list(VICTIMS, "VARCHAR")
    for code, scope in scopes.items():
        is_own = str(code in scope.victim_countries).lower()
        free = f"({str(scope.all_victims).lower()} OR list_contains({_list(scope.own_batches, 'BIGINT')}, batch))"
        home = f"coalesce(country = '{code}', false)"
        guarded = f"(peer IS NOT NULL AND coalesce(list_contains({victims}, peer_role), true))"
        near = f"({free} OR (coalesce(peer_country = '{code}', false) AND {is_own}))"
        hidden = f"({guarded} AND NOT {near})"
        blanked = dict.fromkeys(HIDDEN_WITH_PEER, hidden)
        for name in ("hostname", "extra", "note"):
            blanked[name] = f"({blanked.get(name, 'false')} OR NOT ({home} OR {free}))"
        shown = [f"CASE WHEN {when} THEN NULL ELSE {name} END AS {name}" for name, when in blanked.items()]
        said = world.asked(
            f"""SELECT {", ".join(COLUMNS)} FROM (SELECT * REPLACE ({", ".join(shown)}) FROM everything
                WHERE list_contains({_list(scope.batches, "BIGINT")}, batch)
                AND ({home} OR coalesce(target_country = '{code}', false))
                AND (NOT list_contains({victims}, role) OR {free} OR ({home} AND {is_own})))
                ORDER BY kind COLLATE C, value COLLATE C, batch, position"""
        )
        made = pl.read_parquet(found[code].write_parquet(folder / f"{code}.parquet"))
        assert made.height == len(said) > 0
        assert made.select(COLUMNS).rows() == said, code
