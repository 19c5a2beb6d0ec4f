"""What is expected of real deliveries, and whether it came true: the rules of docs/reference/acceptance.toml.

A rule names files by a pattern; the first rule that fits a file says what may become of it, and every rule may
say sums that hold over all files its pattern fits.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from .acceptance_run import Measured

SUM = re.compile(r"([a-z_]+(?: \+ [a-z_]+)*) (==|>=|<=) (\d+)")


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation."""

    files: str
    """Pattern of paths; * crosses folders."""
    states: tuple[str, ...] = ("parsed",)
    reasons: tuple[str, ...] = ()
    """Why a file may be set aside; empty: for any reason but our own failure."""
    formats: tuple[str, ...] = ()
    refused_as: tuple[str, ...] = ()
    """Reasons of which each file must show one, on the file or on a record of it."""
    never: tuple[str, ...] = ()
    """Reasons that no file may show."""
    sums: tuple[str, ...] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    """Reason → how many records, or files, of all that the pattern fits; no other reason may occur."""
    manifest: str = ""
    """What the folder's own list counts."""
    why: str = ""
    """Why what came of it is not that count, or is what it is."""


@dataclass(slots=True)
class Verdict:
    """Whether what was expected came true."""

    failures: list[str] = field(default_factory=list)
    uncovered: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.failures and not self.uncovered


def load(path: Path) -> tuple[Rule, ...]:
    """The rules, specific ones first; raises ValueError for a sum that cannot be read."""
    rules = []
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["rule"]:
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
        }
        rules.append(Rule(**values))
        for text in rules[-1].sums:
            if SUM.fullmatch(text) is None:
                raise ValueError(f"this sum cannot be read: {text!r}")
    return tuple(rules)


def judge(measured: Sequence[Measured], rules: Sequence[Rule], all_paths: Iterable[str]) -> Verdict:
    """Every failure. Sums are judged only where every file of `all_paths` that the rule fits was read."""
    verdict = Verdict()
    for found in measured:
        if found.fault or "reader-failed" in found.reasons or found.reason == "reader-failed":
            verdict.failures.append(f"{found.path}: {found.fault or 'reader-failed'} {found.where}".rstrip())
            continue
        rule = next((rule for rule in rules if fnmatchcase(found.path, rule.files)), None)
        if rule is None:
            verdict.uncovered.append(found.path)
        elif fault := _fault(found, rule):
            verdict.failures.append(f"{found.path}: {fault}")
    read = {found.path for found in measured}
    paths = list(all_paths)
    for rule in rules:
        fitting = {path for path in paths if fnmatchcase(path, rule.files)}
        if fitting and fitting <= read:
            part = [found for found in measured if found.path in fitting]
            faults = [*(_sum_fault(part, text) for text in rule.sums), *_refusal_faults(part, rule)]
            verdict.failures += [f"{rule.files}: {fault}" for fault in faults if fault]
    return verdict


def refused_of(part: Iterable[Measured]) -> Counter[str]:
    """Reason → how many, over several files."""
    total: Counter[str] = Counter()
    for found in part:
        total.update(found.reasons)
    return total


def _refusal_faults(part: Sequence[Measured], rule: Rule) -> list[str]:
    if not rule.refused:
        return []
    total = refused_of(part)
    return [
        f"{total[reason]} refused as {reason}, not {rule.refused.get(reason, 0)}"
        for reason in sorted({*total, *rule.refused})
        if total[reason] != rule.refused.get(reason, 0)
    ]


def _fault(found: Measured, rule: Rule) -> str:
    if found.state not in rule.states:
        return f"{found.state} ({found.reason}) instead of {' or '.join(rule.states)}"
    if found.state == "quarantined" and rule.reasons and found.reason not in rule.reasons:
        return f"set aside as {found.reason} instead of {' or '.join(rule.reasons)}"
    if rule.formats and found.format not in rule.formats:
        return f"read as {found.format or 'nothing'} instead of {' or '.join(rule.formats)}"
    if rule.refused_as and not set(rule.refused_as) & set(found.reasons):
        return f"nothing was refused as {' or '.join(rule.refused_as)}"
    if wrong := set(rule.never) & set(found.reasons):
        return f"refused as {' and '.join(sorted(wrong))}"
    return ""


def _sum_fault(part: Sequence[Measured], text: str) -> str:
    found = SUM.fullmatch(text)
    assert found is not None
    names, sign, number = found[1].split(" + "), found[2], int(found[3])
    total = sum(_total(part, name) for name in names)
    holds = {"==": total == number, ">=": total >= number, "<=": total <= number}[sign]
    return "" if holds else f"{found[1]} is {total}, not {sign} {number}"


def _total(part: Sequence[Measured], name: str) -> int:
    if name == "files":
        return len(part)
    if name == "stix_objects":
        return sum(many for found in part for kind, many in found.standards.items() if kind.startswith("stix-2"))
    if name == "misp_events":
        return sum(found.standards.get("misp/event", 0) for found in part)
    return sum(int(getattr(found, name)) for found in part)


def set_of(path: str) -> str:
    """The set that a file belongs to: its first two folders."""
    return "/".join(path.split("/")[:2])
