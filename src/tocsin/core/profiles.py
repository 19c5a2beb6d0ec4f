"""A profile: what the columns and rows of one sort of delivery mean. Data, never code.

Profiles come from `feeds/<provider>/<feed>.toml`, from the built-in report types, and from column maps that a
person saved for a partner. The role profile is what keeps a victim from being listed as an attacker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Profile:
    """How to read one sort of delivery. Empty fields mean: not said, take the next default."""

    name: str = ""
    format: str = ""
    """Name of the format; empty: recognise by content."""
    columns: Mapping[str, str | int] = field(default_factory=dict)
    """Draft column → header name or 1-based column number (delimited files). Header "*" skips."""
    types: Mapping[str, str] = field(default_factory=dict)
    """The source's word in the `kind` column → Kind (lower case on both sides)."""
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Draft column → the source's word in it → ours, for other columns than `kind`; "*" stands for any word."""
    further: Mapping[str, str | int] = field(default_factory=dict)
    """Kind → header name or 1-based column number of more values in a row: each gets a row of its own."""
    lists: Mapping[str, str] = field(default_factory=dict)
    """Draft column → what separates several entries in one cell of it."""
    delimiter: str = ""
    quote: str = '"'
    header: bool | None = None
    """Whether the first record is a header; None: find out."""
    comment: str = ""
    """What starts a remark line; empty: find out among #, ;, //."""
    skip_rows: int = 0
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Draft column → value where the delivery gives none: role, type, malware, peer_role, severity, ..."""
    marking: str = ""
    """Sharing label where the delivery says none."""
    time_zone: str = "UTC"
    """Zone of times without one (IANA name)."""
    day_first: bool = False
    """Whether 3/4/2025 means the third of April."""
    window_minutes: int = 0
    """Rows equal but for their time count as one when they lie in the same window; 0: only exact repeats."""
    source_time: str = ""
    """Moment (RFC 3339) to use where rows carry no time; empty: the moment of receipt."""
