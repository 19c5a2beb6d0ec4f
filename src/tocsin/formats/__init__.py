"""Every input format, one file each. The tuple is the list; a test compares it with the folder.

Third parties add formats through the entry point group `tocsin.formats`.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from tocsin.core.reading import Format, Sample

from . import (
    arff,
    certfr,
    cleanmx,
    csaf,
    delimited,
    docx,
    goaml,
    html,
    html_table,
    idea,
    idmef,
    intelmq,
    json_records,
    mail,
    misp,
    misp_feed,
    misp_reference,
    n6,
    openioc,
    pdf,
    plain_list,
    prose,
    reference_tables,
    rules,
    shadowserver,
    stix1,
    stix2,
    structured,
    tagpack,
    taxii1,
    taxii2,
    xarf,
    zeek,
)

MODULES = (
    stix2,
    taxii2,
    csaf,
    stix1,
    taxii1,
    openioc,
    misp,
    misp_feed,
    misp_reference,
    intelmq,
    n6,
    idea,
    idmef,
    xarf,
    certfr,
    tagpack,
    goaml,
    cleanmx,
    reference_tables,
    json_records,
    shadowserver,
    zeek,
    arff,
    delimited,
    plain_list,
    mail,
    pdf,
    docx,
    html_table,
    html,
    rules,
    structured,
    prose,
)
"""In the order in which equal certainty is decided: the more specific first."""

FORMATS: tuple[Format, ...] = tuple(module.FORMAT for module in MODULES)

SURE = 96
SELDOM_SURE = frozenset(
    module.FORMAT.name for module in MODULES if module not in {stix2, csaf, stix1, taxii1, openioc, idea, xarf}
)
"""Formats that are never surer than SURE: where another is, they need not look. Programs send STIX by the thousand."""


@cache
def all_formats() -> tuple[Format, ...]:
    """Built-in formats and those that installed packages add."""
    return FORMATS + tuple(point.load() for point in entry_points(group="tocsin.formats"))


def by_name(name: str) -> Format:
    """The format of that name; KeyError when there is none."""
    return {item.name: item for item in all_formats()}[name]


def recognise(sample: Sample) -> Format | None:
    """The format that is surest of the sample, or None when none is. Content decides, not the name."""
    best, found = 0, None
    for item in all_formats():
        if best > SURE and item.name in SELDOM_SURE:
            continue
        sure = item.recognise(sample)
        if sure > best:
            best, found = sure, item
    return found
