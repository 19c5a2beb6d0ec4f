"""From a table of text cells to draft rows, by a plan that says what each column means.

Everything here works on whole columns. What has no draft column of its own goes to `extra`, a JSON object
of the non-empty cells; several value columns in one row give several rows with the same position.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

import polars as pl

from tocsin.core.errors import InputError
from tocsin.core.profiles import Profile
from tocsin.core.reading import Rejection, Rows
from tocsin.core.words import Kind, Unit

from ._columns import NOT_INDICATORS, kind_of_word, normal
from ._ranges import as_networks
from ._sniffing import Shape
from ._tables import NULL_WORDS, Table

SHARED_COLUMNS = (
    "position", "first_at", "last_at", "role", "type", "offence", "malware", "actor", "label", "severity",
    "confidence", "tags", "note", "reference",
)  # fmt: skip
"""Draft columns that hold for every value of a row, not only for the main one."""

NOWHERE = ("zz", "xx", "aa", "**", "--", "eu", "ap", "a1", "a2", "o1", "unknown")
"""Codes that sources write where no one country is known: no claim, and no reason to refuse the row."""

_HOST = r"[\w-]+(?:\.[\w-]+)+(?::\d{1,5})?"
HOST_LIST = rf"^{_HOST}\s?(?:,\s?(?:/\S*|{_HOST})\s?)+$"
"""Several hosts in one cell, each with a path behind it or without."""
_ADDRESS_AND_PORT = r"^(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})$"


@dataclass(frozen=True, slots=True)
class Plan:
    """What each column of a table means. Column numbers count from 0."""

    names: tuple[str, ...]
    """Headings, for `extra`."""
    taken: Mapping[str, int]
    """Draft column → column number."""
    further: tuple[tuple[str, int], ...] = ()
    """(Kind or "", column) of more values in the same row."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """The source's word in the kind column, normal form → Kind; comes before the general table."""
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Draft column → the source's word, normal form → ours; words not listed are left out."""
    lists: Mapping[str, str] = field(default_factory=dict)
    """Draft column → what separates several entries in one cell."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Draft column → value for every row that has none."""
    headings: frozenset[str] = frozenset()
    """Headings of the value column: a row that repeats one is no data."""
    padded: bool = False
    """Whether cells are filled up with blanks, which then go."""
    joined: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Draft column → first and last column of a range, joined by "-"."""
    dropped: frozenset[int] = frozenset()
    """Columns that say nothing and stay out of `extra`."""
    day_first: bool = False
    """Whether the day stands before the month in times such as 3/4/2026."""

    @property
    def is_plain(self) -> bool:
        """Whether what it puts into rows is ASCII without control characters."""
        words = chain(self.constants.values(), *(table.values() for table in self.words.values()))
        return all(word.isascii() and word.isprintable() for word in words)


def plan_of(shape: Shape, profile: Profile) -> Plan:
    """What the profile's column map means for this file. Raises InputError for a column that is not there."""
    by_name: dict[str, int] = {}
    for index, name in enumerate(shape.headings):
        by_name.setdefault(normal(name), index)

    def find(place: str | int) -> int | None:
        if place == "*":
            return None
        if isinstance(place, int) or (place.isdigit() and place not in shape.headings):
            index = int(place) - 1
            return index if 0 <= index < shape.layout.width else None
        if place in shape.headings:
            return shape.headings.index(place)
        return by_name.get(normal(place))

    taken: dict[str, int] = {}
    joined: dict[str, tuple[int, int]] = {}
    for draft, place in profile.columns.items():
        if isinstance(place, str) and (ends := re.fullmatch(r"(\d+)-(\d+)", place)):
            joined[draft] = (int(ends[1]) - 1, int(ends[2]) - 1)
            continue
        found = find(place)
        if found is not None:
            taken[draft] = found
        elif draft == "value" and place != "*":
            raise InputError(
                "missing-columns", field=str(place), excerpt=shape.layout.delimiter.join(shape.headings)[:120]
            )
    further = []
    for kind, place in profile.further.items():
        found = find(place)
        if found is not None:
            further.append((kind.strip("*"), found))
    heading = shape.headings[taken["value"]] if "value" in taken and shape.has_header else ""
    return Plan(
        names=tuple(name or f"column {index + 1}" for index, name in enumerate(shape.headings)),
        taken=taken,
        further=tuple(further),
        kinds={normal(word): kind for word, kind in profile.types.items()},
        words=profile.words,
        lists=profile.lists,
        headings=frozenset({heading} if heading else ()),
        padded=any(cell != cell.strip() for _, row in shape.records[:100] for cell in row),
        joined=joined,
        day_first=profile.day_first,
    )


def draft_rows(table: Table, plan: Plan, unit: Unit = Unit.LINE) -> Iterator[Rows | Rejection]:
    """Draft rows of a table: the main rows first, then those of further value columns."""
    frame = table.frame
    if plan.padded:
        stripped = pl.exclude("position").str.strip_chars()
        frame = frame.with_columns(pl.when(stripped.is_in(list(NULL_WORDS))).then(None).otherwise(stripped).name.keep())
    value = plan.taken.get("value")
    if value is not None and plan.headings:
        heading = pl.col(f"c{value}").is_in(list(plan.headings))
        if frame.select(heading.any()).item():
            frame = frame.filter(~heading.fill_null(False))
    if not frame.height:
        return
    refused, frame, kinds = _kinds(frame, plan)
    yield from refused
    expressions = [pl.col("position")]
    for draft, index in plan.taken.items():
        if draft != "kind":
            expressions.append(_taken(draft, f"c{index}", plan))
    for draft, (first, last) in plan.joined.items():
        expressions.append(pl.concat_str([f"c{first}", f"c{last}"], separator="-").alias(draft))
    extra = _extra(frame, plan, table.clean, kinds)
    if extra is not None:
        expressions.append(extra)
    if kinds is not None:
        expressions.append(kinds.expression)
    drafts = frame.select(expressions)
    more = [_further(frame, drafts, kind, f"c{index}") for kind, index in plan.further]
    drafts = _filled(drafts)
    if more and "value" in drafts.columns and drafts["value"].null_count():
        # A row whose main value is missing but that has another one needs no row of its own.
        elsewhere = pl.concat([part["position"] for part in more])
        drafts = drafts.filter(pl.col("value").is_not_null() | ~pl.col("position").is_in(elsewhere.implode()))
    pairs = _pairs(frame, drafts, kinds)
    main = _with_ports(_exploded(drafts, plan)) if pairs is None else pairs[0]
    names = frozenset(name or f"column {index + 1}" for index, name in enumerate(plan.names))
    told = replace(
        Rows(pl.DataFrame(), unit=unit, day_first=plan.day_first),
        is_plain=table.is_plain and plan.is_plain, extra_names=names,
    )  # fmt: skip
    yield replace(told, frame=_with_constants(as_networks(main), plan))
    for part in more + (pairs[1] if pairs else []):
        if part.height:
            yield replace(told, frame=_with_constants(_with_ports(as_networks(part)), plan))


@dataclass(frozen=True, slots=True)
class _Kinds:
    expression: pl.Expr
    column: str
    unknown: bool
    paired: bool


def _kinds(frame: pl.DataFrame, plan: Plan) -> tuple[list[Rejection], pl.DataFrame, _Kinds | None]:
    """The kind column translated; rows whose word says "no indicator" come back as rejections."""
    if "kind" not in plan.taken:
        return [], frame, None
    column = f"c{plan.taken['kind']}"
    known: dict[str, str | None] = {}
    refused_words, unknown, paired = [], False, False
    for word in frame[column].drop_nulls().unique():
        key = normal(word)
        kind = plan.kinds.get(key) or kind_of_word(word)
        if key in NOT_INDICATORS and key not in plan.kinds:
            refused_words.append(word)
        unknown |= kind is None
        paired |= "|" in word
        known[word] = kind or None
    refused: list[Rejection] = []
    if refused_words:
        said = pl.col(column).is_in(refused_words).fill_null(False)
        text = pl.col(f"c{plan.taken.get('value', plan.taken['kind'])}").fill_null("")
        shown = frame.filter(said).select("position", pl.concat_str([column, text], separator=": ").alias("shown"))
        refused = [
            Rejection(position, Unit.LINE, "unsupported-record", field="kind", excerpt=excerpt[:120])
            for position, excerpt in shown.iter_rows()
        ]
        frame = frame.filter(~said)
    words = list(known)
    expression = pl.col(column).replace_strict(
        words, [known[word] for word in words], default=None, return_dtype=pl.String
    )
    return refused, frame, _Kinds(expression.alias("kind"), column, unknown, paired)


def _taken(draft: str, column: str, plan: Plan) -> pl.Expr:
    expression = pl.col(column)
    if draft in plan.words:
        return _translated(expression, plan.words[draft]).alias(draft)
    if draft == "tags" and draft in plan.lists and plan.lists[draft] != "; ":
        expression = expression.str.strip_chars().str.replace_all(plan.lists[draft], "; ", literal=True)
    if draft.endswith("_country"):
        nowhere = expression.str.strip_chars().str.to_lowercase().is_in(list(NOWHERE)) | expression.str.contains(
            "|", literal=True
        )
        expression = pl.when(~nowhere).then(expression)
    return expression.alias(draft)


def _translated(expression: pl.Expr, words: Mapping[str, str]) -> pl.Expr:
    table = {normal(word): ours for word, ours in words.items()}

    def translate(series: pl.Series) -> pl.Series:
        found = [(word, table.get(normal(word), words.get("*"))) for word in series.drop_nulls().unique()]
        return series.replace_strict(
            [word for word, _ in found], [ours for _, ours in found], default=None, return_dtype=pl.String
        )

    return expression.map_batches(translate, return_dtype=pl.String)


def _extra(frame: pl.DataFrame, plan: Plan, clean: bool, kinds: _Kinds | None) -> pl.Expr | None:
    """The JSON object of all non-empty cells without a draft column, or None when there are none."""
    used = (
        {index for pair in plan.joined.values() for index in pair}
        | set(plan.taken.values())
        | {index for _, index in plan.further}
        | plan.dropped
    )
    if kinds is not None and kinds.unknown:
        used.discard(plan.taken["kind"])
    pieces, full = [], True
    for index, name in enumerate(plan.names):
        column = frame.get_column(f"c{index}") if index not in used else None
        if column is None or column.null_count() == frame.height:
            continue
        pieces.append(_member(f"c{index}", name or f"column {index + 1}", clean))
        full = full and column.null_count() == 0
    if not pieces:
        return None
    if full:
        parts: list[pl.Expr] = [pl.lit("{")]
        for place, piece in enumerate(pieces):
            parts += [pl.lit(","), *piece] if place else piece
        return pl.concat_str([*parts, pl.lit("}")]).alias("extra")
    inner = pl.concat_str([pl.concat_str(piece) for piece in pieces], separator=",", ignore_nulls=True)
    return pl.when(inner != "").then(pl.concat_str([pl.lit("{"), inner, pl.lit("}")])).alias("extra")


def _member(column: str, name: str, clean: bool) -> list[pl.Expr]:
    key = json.dumps(name, ensure_ascii=False)
    if clean:
        return [pl.lit(f'{key}:"'), pl.col(column), pl.lit('"')]
    encoded = pl.struct(pl.col(column).alias("v")).struct.json_encode().str.slice(5)
    # {"v":"text"} without its first five signs and the closing brace is the JSON text.
    text = encoded.str.head(-1)
    return [pl.when(pl.col(column).is_not_null()).then(pl.concat_str([pl.lit(f"{key}:"), text]))]


def _filled(draft: pl.DataFrame) -> pl.DataFrame:
    """Where a row has no main value but a web address or a host, that becomes its value."""
    for second in ("url", "hostname", "peer"):
        if second not in draft.columns:
            continue
        if "value" not in draft.columns:
            draft = draft.with_columns(pl.lit(None, pl.String).alias("value"))
        empty = pl.col("value").is_null()
        if draft["value"].null_count() and second != "peer":
            draft = draft.with_columns(
                pl.coalesce("value", second).alias("value"),
                pl.when(empty).then(None).otherwise(pl.col(second)).alias(second),
            )
    return draft


def _further(frame: pl.DataFrame, draft: pl.DataFrame, kind: str, column: str) -> pl.DataFrame:
    shared = [name for name in SHARED_COLUMNS if name in draft.columns]
    main = draft["value"] if "value" in draft.columns else pl.Series("main", [None] * draft.height, dtype=pl.String)
    part = draft.select(shared).with_columns(
        frame[column].alias("value"), pl.lit(kind or None, pl.String).alias("kind"), main.alias("main")
    )
    part = part.filter(pl.col("value").is_not_null())
    if not part.select(pl.col("value").str.contains(HOST_LIST).any()).item():
        return part.drop("main")
    hosts = (
        pl.col("value")
        .str.split(",")
        .list.eval(pl.element().str.strip_chars().filter(~pl.element().str.strip_chars().str.starts_with("/")))
    )
    listed = pl.when(pl.col("value").str.contains(HOST_LIST)).then(hosts).otherwise(pl.concat_list("value"))
    return (
        part.with_columns(listed.list.unique(maintain_order=True).alias("value"))
        .explode("value")
        .filter(pl.col("value").ne_missing(pl.col("main")))
        .drop("main")
    )


def _pairs(
    frame: pl.DataFrame, draft: pl.DataFrame, kinds: _Kinds | None
) -> tuple[pl.DataFrame, list[pl.DataFrame]] | None:
    """Rows of paired types ("filename|sha256", "ip-dst|port") as rows of their own, or None."""
    if kinds is None or not kinds.paired:
        return None
    left = pl.col("value").str.extract(r"^([^|]*)\|")
    right = pl.col("value").str.extract(r"\|(.*)$")
    word = frame[kinds.column]
    paired = draft.with_columns(word.alias("word")).filter(
        pl.col("word").str.contains("|", literal=True) & pl.col("value").str.contains("|", literal=True)
    )
    single = draft.filter(~draft["position"].is_in(paired["position"].implode()))
    paired = paired.with_columns(left=left, right=right, first=pl.col("word").str.extract(r"^([^|]*)"))
    second = pl.col("word").str.extract(r"\|(.*)$")
    ports = paired.filter(second.str.to_lowercase() == "port")
    others = paired.filter(second.str.to_lowercase() != "port")
    kind_first = _translated(pl.col("first"), _PAIR_KINDS)
    kind_second = _translated(second, _PAIR_KINDS)
    helpers = ["word", "left", "right", "first"]
    shared = [name for name in draft.columns if name in SHARED_COLUMNS]
    parts = [
        ports.with_columns(value=pl.col("left"), port=pl.col("right"), kind=kind_first).drop(helpers),
        others.with_columns(value=pl.col("left"), kind=kind_first).drop(helpers),
        others.with_columns(value=pl.col("right"), kind=kind_second).select([*shared, "value", "kind"]),
    ]
    return single, parts


_PAIR_KINDS: dict[str, str] = {
    "filename": "filename",
    "domain": "domain",
    "hostname": "domain",
    "regkey": "registry-key",
    "md5": "md5",
    "sha1": "sha1",
    "sha224": "sha224",
    "sha256": "sha256",
    "sha384": "sha384",
    "sha512": "sha512",
    "ssdeep": "ssdeep",
    "tlsh": "tlsh",
    "imphash": "imphash",
    "value": "other",
}


def _exploded(draft: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    separator = plan.lists.get("value")
    if not separator:
        return draft
    parts = pl.col("value").str.split(separator)
    parts = parts.list.eval(pl.element().str.strip_chars().filter(~pl.element().str.starts_with("/")))
    draft = draft.with_columns(parts.list.unique(maintain_order=True)).explode("value")
    draft = draft.filter(pl.col("value").is_null() | (pl.col("value") != ""))
    if "kind" in draft.columns:
        # "file" beside its digests: they say themselves what they are.
        digest = pl.col("value").str.contains(r"^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$")
        named = (pl.col("kind") == Kind.FILENAME.value) & digest
        draft = draft.with_columns(pl.when(named.fill_null(False)).then(None).otherwise("kind").alias("kind"))
    return draft


def _with_ports(draft: pl.DataFrame) -> pl.DataFrame:
    """An IPv4 address with a port behind a colon becomes value and port."""
    if "value" not in draft.columns:
        return draft
    joined = pl.col("value").str.contains(_ADDRESS_AND_PORT)
    if not draft.select(pl.col("value").str.contains(":", literal=True).any() & joined.any()).item():
        return draft
    port = pl.col("value").str.extract(_ADDRESS_AND_PORT, 2)
    if "port" in draft.columns:
        port = pl.coalesce("port", port)
    return draft.with_columns(
        port.alias("port"),
        pl.coalesce(pl.col("value").str.extract(_ADDRESS_AND_PORT, 1), "value").alias("value"),
    )


def _with_constants(draft: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    for name, value in plan.constants.items():
        if name in draft.columns:
            if draft[name].null_count():
                draft = draft.with_columns(pl.col(name).fill_null(value))
        else:
            draft = draft.with_columns(pl.lit(value).alias(name))
    return draft
