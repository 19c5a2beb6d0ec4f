"""The registrable domain of host names: one label more than the public suffix they end in.

The rules are the snapshot of the Public Suffix List inside the package tldextract, read in all its parts: plain
rules, wildcards (*.ck) and exceptions (!www.ck). Names under no known suffix have no registrable domain.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import polars as pl

# The file alone: the package itself would load a web client, which takes longer than the file.
SNAPSHOT = Path(str(getattr(find_spec("tldextract"), "origin", ""))).parent / ".tld_set_snapshot"
PRIVATE = "===BEGIN PRIVATE DOMAINS==="


RULE, WILDCARD, EXCEPTION, DEEPER = 1, 2, 4, 8
"""What a name is: a rule, under a wildcard's star, an exception, the end of longer rules."""


def registrable(hosts: pl.Series, private: bool = False) -> pl.Series:
    """The registrable domain of each host; null for addresses, for suffixes themselves and for unknown endings.

    Hosts are lower case, without port. With `private`, suffixes that companies run (github.io) count as suffixes.
    """
    # A plain loop with one dictionary: no slower than string expressions and joins on columns, and far shorter.
    facts = _facts(private)
    found: list[str | None] = []
    for host in hosts.to_list():
        if not host:
            found.append(None)
            continue
        dot = host.rfind(".")
        last = host[dot + 1 :]
        fact = facts.get(last)
        if fact == RULE and dot > 0:  # Nine in ten: nothing but the last label matters.
            start = host.rfind(".", 0, dot) + 1
            found.append(host[start:] if start < dot else None)
        elif fact is None and last:  # Nobody's suffix.
            found.append(None)
        else:
            found.append(_registrable(host.rstrip("."), facts))
    return pl.Series("domain", found, dtype=pl.String)


def registrable_of(host: str) -> str | None:
    """The registrable domain of one host."""
    return _registrable(host, _facts(private=False)) if host else None


def _registrable(host: str, facts: dict[str, int]) -> str | None:
    dot = host.rfind(".")
    fact = facts.get(host[dot + 1 :], 0)
    answer, hangs = None, False
    while fact or hangs:
        next_dot = host.rfind(".", 0, dot) if dot > 0 else -1
        if fact & EXCEPTION:
            return host[dot + 1 :]
        if fact & RULE or hangs:
            answer = host[next_dot + 1 :] if dot - next_dot > 1 and dot > 0 else None
        if not fact & DEEPER or dot <= 0:
            break
        dot, hangs = next_dot, bool(fact & WILDCARD)
        fact = facts.get(host[dot + 1 :], 0)
    return answer


@cache
def _facts(private: bool) -> dict[str, int]:
    """Every name that a rule ends in."""
    facts: dict[str, int] = {}
    for rule in _lines(private):
        bare = rule.removeprefix("!").removeprefix("*.")
        kind = EXCEPTION if rule.startswith("!") else WILDCARD | DEEPER if rule.startswith("*.") else RULE
        for name in (bare,) if bare.isascii() else (bare, _ascii(bare)):
            facts[name] = facts.get(name, 0) | kind
            ending = name.partition(".")[2]
            while ending:
                facts[ending] = facts.get(ending, 0) | DEEPER
                ending = ending.partition(".")[2]
    return facts


def _lines(private: bool) -> list[str]:
    text = SNAPSHOT.read_text(encoding="utf-8")
    if not private:
        text = text.partition(PRIVATE)[0]
    lines = (line.strip() for line in text.splitlines())
    return [line.split()[0].lower() for line in lines if line and not line.startswith("//")]


def _ascii(name: str) -> str:
    return ".".join(
        label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii") for label in name.split(".")
    )
