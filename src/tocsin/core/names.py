"""Names that people give to people, organisations and keys, and logins: nothing in them that the eye does not see."""

from __future__ import annotations

import re
import unicodedata

JOINERS = "\u200c\u200d"
"""They shape letters of Arabic and Indian scripts; anywhere else they are invisible."""
ACTORS = frozenset({"applicant", "command", "demonstration", "page", "system"})
"""Who acts in the log beside people: a login of that name would put words into its mouth."""
LOGIN = re.compile(r"[^\W_][\w.@+-]*")
_SCRIPTS_WITHOUT_JOINERS = ("LATIN", "GREEK", "CYRILLIC", "DIGIT")
_SCRIPTS_TOGETHER = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"})


def plain_name(text: str) -> str:
    """The name as it can be seen: one form of each letter, single spaces, and neither control characters nor marks that
    turn the direction of writing or take no room."""
    kept: list[str] = []
    for sign in unicodedata.normalize("NFC", text):
        if sign in JOINERS:
            if kept and not _script_of(kept[-1]).startswith(_SCRIPTS_WITHOUT_JOINERS):
                kept.append(sign)
            continue
        category = unicodedata.category(sign)
        if category in {"Cc", "Zl", "Zp"} or sign == "\u115f":
            kept.append(" ")
        elif category not in {"Cf", "Cs", "Co", "Cn"} and sign not in "\u034f\u1160\u3164\uffa0":
            kept.append(sign)
    return " ".join("".join(kept).split()).strip(JOINERS)


def is_login(text: str) -> bool:
    """Whether this can be somebody's login: letters of one script, digits and . @ + - _, written in one way only, and
    no name under which the log knows something else than a person."""
    if not LOGIN.fullmatch(text) or text.casefold() in ACTORS:
        return False
    if unicodedata.normalize("NFKC", text) != text:
        return False
    scripts = {_script_of(sign) for sign in text if sign.isalpha()}
    return len(scripts) <= 1 or scripts <= _SCRIPTS_TOGETHER


def _script_of(sign: str) -> str:
    """The first word of the letter's name, which is its script."""
    return unicodedata.name(sign, "").partition(" ")[0]
