"""What the installation certifies, signed."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from django.conf import settings

from tocsin.credentials import load_or_make


def signed(facts: dict[str, Any]) -> str:
    """Signed JSON: `signature` covers the bytes of `body` as they stand."""
    installation: Any = settings.INSTALLATION
    key = load_or_make(installation.keys_folder, installation.organisation)
    body = orjson.dumps(facts)
    made = {"body": body.decode(), "signature": base64.b64encode(key.sign(body)).decode(), "key": key.public_line}
    return orjson.dumps(made, option=orjson.OPT_INDENT_2).decode()
