"""Bodies of JSON as programs send them, without what no database keeps in a text."""

from __future__ import annotations

import json
import re
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser

_ODD = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|\x00")
_NEITHER = re.compile("[\x00\ud800-\udfff]")


class KeptTexts(Parser):
    """As ever; but in texts the character zero, and half a pair of UTF-16, becomes the sign for what nobody could read:
    PostgreSQL takes neither."""

    def parse_body(self, request: HttpRequest) -> Any:
        """The body's JSON. Raises what the decoder raises."""
        found = json.loads(request.body)
        return _kept(found) if _ODD.search(request.body) else found


def _kept(value: Any) -> Any:
    if isinstance(value, str):
        return _NEITHER.sub("\ufffd", value)
    if isinstance(value, list):
        return [_kept(each) for each in value]
    if isinstance(value, dict):
        return {_kept(name): _kept(each) for name, each in value.items()}
    return value
