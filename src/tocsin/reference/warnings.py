"""Values that look like findings and often are none: resolvers, clouds, top sites, empty files, sinkholes.

The entries come from the MISP warning lists (CC0), each list put into one group; a value's flags are a bit mask
of groups. A flag is a remark for people and rules, never a reason to drop a row by itself.
"""

from __future__ import annotations

import csv
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from tocsin.core.suffixes import registrable

from .ranges import Keys, Values, layer_v4, layer_v6, merged, v6_keys

FOLDER = Path(__file__).parent
LISTS = FOLDER / "warning_lists.csv"
WARNINGS = FOLDER / "warnings.parquet"
COMPILED = FOLDER / "warnings_networks.npz"
COMPILED_NAMES = FOLDER / "warnings_names.parquet"

# Positions are bits of stored rows: never reorder, only append, up to 32.
GROUPS: tuple[str, ...] = (
    "public-dns", "cdn", "cloud", "top-site", "security-vendor", "sinkhole", "crawler", "scanner", "mail-provider",
    "disposable-mail", "dynamic-dns", "url-shortener", "vpn", "tor-exit", "bogon", "reserved-name", "empty-hash",
    "known-file", "certificate-authority", "academic", "bank", "government", "common-service", "parking",
    "own-address", "shared-host", "phishing-exercise", "health", "company", "contact-address",
)  # fmt: skip
BIT: dict[str, int] = {group: 1 << number for number, group in enumerate(GROUPS)}
SIEVE_BITS = 22
HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True)
class WarningList:
    """One list as published. `kind` is cidr, hostname (also below it), string (itself), substring or regex."""

    number: int
    slug: str
    group: str
    kind: str
    version: str
    name: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """One list that holds a value."""

    group: str
    list_name: str
    version: str


def flags(frame: pl.DataFrame) -> pl.Series:
    """The mask of groups for each row of a frame with kind, value, ipv4 and domain; ipv6 (16 bytes) if it is there."""
    numbered = frame.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"))
    kinds = set(frame["kind"].unique().to_list())
    parts = [_address_flags(numbered)]
    if kinds & {"domain", "url", "email"}:
        parts.append(_host_flags(numbered))
    if kinds & {*HASHES, "phone"}:
        parts.append(_text_flags(numbered))
    found = pl.concat(parts).filter(pl.col("flags") > 0)
    # A row has one kind, and each kind is looked at once: no row is in two parts.
    placed = numbered.select("row").join(found, on="row", how="left", maintain_order="left")
    return placed["flags"].fill_null(0).cast(pl.UInt32).alias("warnings")


def explain(kind: str, value: str) -> list[Explanation]:
    """Every list that holds this canonical value, in the order of the lists."""
    if not _is_flagged(kind, value):
        return []
    found: set[int] = set()
    if kind in {"ipv4", "ipv6", "network"}:
        first = (
            ipaddress.ip_network(value, strict=False)[0]
            if "-" not in value
            else ipaddress.ip_address(value.split("-")[0])
        )
        found.update(_of_v4(int(first)) if first.version == 4 else _of_v6(int(first)))
    elif host := _host(kind, value):
        below, exact = _listed()
        found |= exact.get(host, set()).union(*(below.get(name, set()) for name in _parents(host)))
    if kind in HASHES:
        found.update(_digests().get(value, ()))
    if kind in {"email", "phone"}:
        found |= {number for number, pattern in _patterns(kind) if re.search(pattern, value)}
    return [
        Explanation(lists()[number].group, lists()[number].name, lists()[number].version) for number in sorted(found)
    ]


def _is_flagged(kind: str, value: str) -> bool:
    """Whether any list holds the value: a quick look at the compiled masks, which spares most values the long one."""
    if kind in {"ipv4", "network"} and ":" not in value:
        starts, masks = _masks_v4()
        first = int(ipaddress.IPv4Address(value.split("/")[0].split("-")[0]))
        return bool(masks[np.searchsorted(starts, np.uint32(first), side="right") - 1])
    if kind in {"domain", "url"}:
        host = _host(kind, value)
        return bool(host) and _mask_of(str(host), *_names()) > 0
    return True


@cache
def lists() -> tuple[WarningList, ...]:
    """All lists shipped, by number."""
    with LISTS.open(encoding="utf-8", newline="") as file:
        return tuple(
            WarningList(int(row["number"]), row["slug"], row["group"], row["type"], row["version"], row["name"])
            for row in csv.DictReader(file)
        )


def _address_flags(frame: pl.DataFrame) -> pl.DataFrame:
    (v4_starts, v4_masks), (v6_starts, v6_masks) = _masks_v4(), _masks_v6()
    v4 = frame.filter(pl.col("ipv4").is_not_null() & pl.col("kind").is_in(["ipv4", "network"])).select("row", "ipv4")
    index = np.searchsorted(v4_starts, v4["ipv4"].cast(pl.UInt32).to_numpy(), side="right") - 1
    parts = [v4.select("row", pl.Series("flags", v4_masks[index]))]
    if "ipv6" in frame.columns:
        v6 = frame.filter(pl.col("ipv6").bin.size() == 16).select("row", "ipv6")
        keys = np.frombuffer(b"".join(v6["ipv6"].to_list()), dtype="S16") if len(v6) else np.zeros(0, "S16")
        parts.append(v6.select("row", pl.Series("flags", v6_masks[np.searchsorted(v6_starts, keys, side="right") - 1])))
    return pl.concat(parts)


def _host_flags(frame: pl.DataFrame) -> pl.DataFrame:
    kind, value = pl.col("kind"), pl.col("value")
    host = (
        pl.when(kind == "domain")
        .then(value)
        .when(kind == "url")
        .then(value.str.extract(r"^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]+)"))
        .when(kind == "email")
        .then(value.str.extract(r"@([^@]+)$"))
    )
    rows = frame.filter(kind.is_in(["domain", "url", "email"])).select(
        "row", "kind", "value", host.alias("host"), "domain"
    )
    # Only hosts under a listed registrable domain, or listed themselves, are worth a closer look.
    close = _sieve("root")[_places(rows["domain"])] | _sieve("name")[_places(rows["host"])]
    unique = rows.filter(pl.Series(close)).select(pl.col("host").unique()).drop_nulls()
    masks = pl.Series("flags", _masks_of(unique["host"].to_list()), dtype=pl.UInt32)
    found = rows.join(unique.with_columns(masks), on="host", how="left")
    patterns = "|".join(f"(?:{pattern})" for _, pattern in _patterns("email"))
    contact = pl.when((pl.col("kind") == "email") & pl.col("value").str.contains(patterns)).then(BIT["contact-address"])
    return found.select("row", (pl.col("flags").fill_null(0) | contact.otherwise(0)).cast(pl.UInt32).alias("flags"))


@cache
def _sieve(column: str) -> np.ndarray:
    """Where any of the listed names falls: of others one in forty passes, and of these all do."""
    sieve = np.zeros(1 << SIEVE_BITS, dtype=bool)
    sieve[_places(_suffix_names() if column == "name" else _roots())] = True
    return sieve


def _places(names: pl.Series) -> np.ndarray:
    places: np.ndarray = names.hash(0).to_numpy() >> np.uint64(64 - SIEVE_BITS)
    return places


def _text_flags(frame: pl.DataFrame) -> pl.DataFrame:
    hashes = frame.filter(pl.col("kind").is_in(HASHES)).select("row", pl.col("value").alias("entry"))
    hashes = hashes.join(_hashes(), on="entry", how="inner").group_by("row").agg(pl.col("flags").bitwise_or())
    phones = frame.filter(pl.col("kind") == "phone").select("row", "value")
    patterns = "|".join(f"(?:{pattern})" for _, pattern in _patterns("phone"))
    phones = phones.filter(pl.col("value").str.contains(patterns))
    return pl.concat([hashes, phones.select("row", pl.lit(BIT["contact-address"], pl.UInt32).alias("flags"))])


def _masks_of(hosts: list[str]) -> list[int]:
    """The masks of many hosts, from the rows that name them alone: dictionaries of all rows take longer to make, and to
    go through all rows for a few hosts as long as all else that is done with a small delivery."""
    if not hosts:
        return []
    asked = pl.DataFrame(
        {"name": list({name for host in hosts for name in _parents(host)})}, schema={"name": pl.String}
    )
    digests, order = _name_digests()
    own = asked["name"].hash(0).to_numpy()
    begin = np.searchsorted(digests, own)
    close = [order[begin + more][digests[begin + more] == own] for more in (0, 1)]  # Two names may share a digest.
    known = _compiled_names()[np.unique(np.concatenate(close))].join(asked, on="name", how="semi")
    below, exact = (dict(known.select("name", column).iter_rows()) for column in ("below", "exact"))
    return [_mask_of(host, below, exact) for host in hosts]


@cache
def _name_digests() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Digests of the compiled names in ascending order, with two at the end that are nobody's, and the row of each."""
    digests = _compiled_names()["name"].hash(0).to_numpy()
    order = np.argsort(digests, kind="stable")
    return np.concatenate([digests[order], [~np.uint64(0)] * 2]), np.concatenate([order, order[:2]])


def _mask_of(host: str, below: dict[str, int], exact: dict[str, int]) -> int:
    mask = exact.get(host, 0)
    for name in _parents(host):
        mask |= below.get(name, 0)
    return mask


def _parents(host: str) -> list[str]:
    """The name itself and every name above it."""
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]


def _host(kind: str, value: str) -> str | None:
    if kind == "domain":
        return value
    pattern = {"url": r"^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]+)", "email": r"@([^@]+)$"}.get(kind)
    match = re.search(pattern, value) if pattern else None
    return match[1] if match else None


def _bare(entry: str) -> str:
    """A name of a list without the signs that its makers put around it: "@mail.example", "*.host.example"."""
    return (
        entry.removeprefix("@").removeprefix("*").strip(".").removeprefix("http://").removeprefix("https://").strip("/")
    )


@cache
def _entries() -> pl.DataFrame:
    return pl.read_parquet(WARNINGS)


def _cidr_entries() -> pl.DataFrame:
    numbers = [each.number for each in lists() if each.kind == "cidr"]
    return _entries().filter(pl.col("list").is_in(numbers))


def _networks() -> Iterator[tuple[int, ipaddress.IPv4Network | ipaddress.IPv6Network]]:
    """Each network with the number of its list, one by one: slow, for whoever compiles the lists."""
    for number, entry in _cidr_entries().iter_rows():
        yield number, ipaddress.ip_network(entry, strict=False)


def _of_v4(address: int) -> list[int]:
    """Numbers of the lists that hold the address."""
    numbers, shifts, bits = _prefixes_v4()
    found: list[int] = numbers[np.uint64(address) >> shifts == bits].tolist()
    return found


@cache
def _prefixes_v4() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """By network: its list, by how much an address is shifted, and what then is left of those in it. The first page
    that names an address waits for this; a hundred thousand objects of `ipaddress` take a second."""
    parts = pl.col("entry").str.splitn("/", 2)
    rows = _cidr_entries().filter(~pl.col("entry").str.contains(":", literal=True))
    rows = rows.with_columns(parts.struct[0].str.split_exact(".", 3).alias("octets"), parts.struct[1].alias("length"))
    octets = (pl.col("octets").struct[place].cast(pl.UInt64) * 256 ** (3 - place) for place in range(4))
    rows = rows.select(
        pl.col("list").cast(pl.UInt64),
        (32 - pl.col("length").cast(pl.UInt64).fill_null(32)).alias("shift"),
        pl.sum_horizontal(octets).alias("first"),
    )
    shifts = rows["shift"].to_numpy()
    return rows["list"].to_numpy(), shifts, rows["first"].to_numpy() >> shifts


def _of_v6(address: int) -> set[int]:
    known = _prefixes_v6()
    return {number for length, lists_of in known.items() for number in lists_of.get(address >> (128 - length), ())}


@cache
def _prefixes_v6() -> dict[int, dict[int, list[int]]]:
    """Length of prefix → first bits of a network → its lists: an address is looked up once a length."""
    found: dict[int, dict[int, list[int]]] = {}
    for number, entry in _cidr_entries().filter(pl.col("entry").str.contains(":", literal=True)).iter_rows():
        network = ipaddress.IPv6Network(entry, strict=False)
        bits = int(network.network_address) >> (128 - network.prefixlen)
        found.setdefault(network.prefixlen, {}).setdefault(bits, []).append(number)
    return found


@cache
def _digests() -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, entry in _entries().filter(pl.col("entry").str.contains("^[0-9a-f]{32,128}$")).iter_rows():
        found.setdefault(entry, []).append(number)
    return found


@cache
def _masks_v4() -> tuple[Keys, npt.NDArray[np.uint32]]:
    with np.load(COMPILED) as arrays:
        return arrays["v4_starts"], arrays["v4_masks"]


@cache
def _masks_v6() -> tuple[Keys, npt.NDArray[np.uint32]]:
    with np.load(COMPILED) as arrays:
        return arrays["v6_starts"], arrays["v6_masks"]


def compile_networks() -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of `COMPILED`, from the lists: seconds of work that no reading process should do again."""
    v4_starts, v4_masks = _compiled_v4()
    v6_starts, v6_masks = _compiled_v6()
    return {"v4_starts": v4_starts, "v4_masks": v4_masks, "v6_starts": v6_starts, "v6_masks": v6_masks}


def write_compiled() -> None:
    """Write `COMPILED` and `COMPILED_NAMES` anew; `script/make-reference` does, after the lists changed."""
    np.savez_compressed(COMPILED, **compile_networks())  # type: ignore[arg-type]
    compile_names().write_parquet(COMPILED_NAMES, compression="zstd", compression_level=19)


def _compiled_v4() -> tuple[Keys, npt.NDArray[np.uint32]]:
    layers = {}
    for group, networks in _networks_by_group(4).items():
        first = np.array([int(network[0]) for network in networks], np.uint64)
        last = np.array([int(network[-1]) for network in networks], np.uint64)
        layers[group] = layer_v4(first, last, np.ones(len(first), np.uint32))
    starts, values = merged(layers)
    return starts.astype(np.uint32), _joined(values)


def _compiled_v6() -> tuple[Keys, npt.NDArray[np.uint32]]:
    layers = {}
    for group, networks in _networks_by_group(6).items():
        first, last = [int(network[0]) for network in networks], [int(network[-1]) for network in networks]
        layers[group] = layer_v6(first, last, np.ones(len(first), np.uint32))
    starts, values = merged(layers) if layers else (v6_keys([0]), {})
    return starts, _joined(values)


def _networks_by_group(version: int) -> dict[str, list[ipaddress.IPv4Network | ipaddress.IPv6Network]]:
    found: dict[str, list[ipaddress.IPv4Network | ipaddress.IPv6Network]] = {}
    for number, network in _networks():
        if network.version == version:
            found.setdefault(lists()[number].group, []).append(network)
    return found


def _joined(values: dict[str, Values]) -> npt.NDArray[np.uint32]:
    columns = [column * np.uint32(BIT[group]) for group, column in values.items()]
    mask: npt.NDArray[np.uint32] = np.bitwise_or.reduce(columns)
    return mask


@cache
def _listed() -> tuple[dict[str, set[int]], dict[str, set[int]]]:
    """Lists of names that count for all names below them, and of names that count for themselves alone."""
    below: dict[str, set[int]] = {}
    exact: dict[str, set[int]] = {}
    for number, entry in _entries().iter_rows():
        each = lists()[number]
        if each.kind in {"hostname", "substring", "string"} and each.group not in _OF_FILES:
            name = _bare(entry)
            if name and "/" not in name:
                (exact if each.kind == "string" else below).setdefault(name, set()).add(number)
    return below, exact


@cache
def _names() -> tuple[dict[str, int], dict[str, int]]:
    """The same as masks."""
    table = _compiled_names()
    below, exact = (table.filter(pl.col(column) > 0) for column in ("below", "exact"))
    return (
        dict(zip(below["name"].to_list(), below["below"].to_list(), strict=True)),
        dict(zip(exact["name"].to_list(), exact["exact"].to_list(), strict=True)),
    )


@cache
def _compiled_names() -> pl.DataFrame:
    return pl.read_parquet(COMPILED_NAMES)


def compile_names() -> pl.DataFrame:
    """The table of `COMPILED_NAMES`: each listed name with its masks and its registrable domain."""
    below, exact = ({name: _mask(numbers) for name, numbers in listed.items()} for listed in _listed())
    names = pl.Series("name", sorted({**below, **exact}), dtype=pl.String)
    return pl.DataFrame(
        [
            names,
            pl.Series("below", [below.get(name, 0) for name in names], dtype=pl.UInt32),
            pl.Series("exact", [exact.get(name, 0) for name in names], dtype=pl.UInt32),
            registrable(names).alias("root"),
        ]
    )


def _mask(numbers: set[int]) -> int:
    mask = 0
    for number in numbers:
        mask |= BIT[lists()[number].group]
    return mask


_OF_FILES = {"empty-hash", "known-file", "certificate-authority"}


@cache
def _suffix_names() -> pl.Series:
    return _compiled_names()["name"]


@cache
def _roots() -> pl.Series:
    return _compiled_names()["root"].drop_nulls()


@cache
def _hashes() -> pl.DataFrame:
    of_files = {each.number: BIT[each.group] for each in lists() if each.group in _OF_FILES}
    flags = pl.col("list").replace_strict(of_files, return_dtype=pl.UInt32)
    return _entries().filter(pl.col("list").is_in(list(of_files))).select("entry", flags.alias("flags"))


@cache
def _patterns(kind: str) -> tuple[tuple[int, str], ...]:
    """Regular expressions of a kind, without the slashes of their source."""
    slug = {"email": "common-contact-emails", "phone": "phone_numbers"}[kind]
    numbers = [each.number for each in lists() if each.slug == slug]
    rows = _entries().filter(pl.col("list").is_in(numbers))
    return tuple((number, re.sub(r"^/|/[a-z]*$", "", entry)) for number, entry in rows.iter_rows())
