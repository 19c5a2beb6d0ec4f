"""Signs that deceive the eye or a spreadsheet, and how they are shown instead."""

from __future__ import annotations

import re

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins with one of these is a formula to a spreadsheet: it gets an apostrophe in front."""

DECEIVING = r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
"""Control characters and characters that change the direction of text or cannot be seen."""
_DECEIVING = re.compile(DECEIVING)
DECEIVING_SIGNS = tuple(_DECEIVING.findall("".join(map(chr, range(0x10000)))))
"""The same characters one by one."""


def visible(text: str) -> str:
    """The text with each deceiving character written as `\\uXXXX`."""
    return _DECEIVING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def cell(text: str) -> str:
    """The text as a CSV cell shows it: no formula, nothing invisible."""
    shown = visible(text)
    return f"'{shown}" if text.startswith(FORMULA_STARTS) else shown
