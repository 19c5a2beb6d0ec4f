"""Lists that are read page by page: `limit` and `cursor` in the question, a header Link that names the next page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Query

from tocsin.centre.pages import Part, is_cursor, page_of
from tocsin.core.errors import InputError

MOST = 500
_BETWEEN = "~"
"""Stands in no cursor: a question about several lists goes on in each of them."""
Limit = Annotated[int, Query(ge=1, le=MOST, description="How many of each list at most.")]
Cursor = Annotated[
    str,
    Query(max_length=4_000, description="Where the page begins, as the header Link of the page before named it. It is "
          "opened for this list alone, does not age, and tells nothing."),
]  # fmt: skip
PAGED = {
    "responses": {
        200: {
            "headers": {
                "Link": {
                    "description": 'The next page, as `<address>; rel="next"`, while there is one. What comes in '
                    "meanwhile moves nothing, and is on the first page.",
                    "schema": {"type": "string"},
                }
            }
        }
    }
}
"""For `openapi_extra`."""


def pages(
    request: HttpRequest, response: HttpResponse, lists: Sequence[tuple[QuerySet[Any], Sequence[Part]]], *,
    cursor: str, limit: int, said: Mapping[str, str] | None = None,
) -> list[list[Any]]:  # fmt: skip
    """The rows of one page of each of these lists; one that came to its end has none on the pages behind that.

    Raises InputError for a cursor that was not given out for them.
    """
    places = cursor.split(_BETWEEN) if cursor else [""] * len(lists)
    if len(places) != len(lists):
        raise InputError("not-an-id", field="cursor")
    found, following = [], []
    for (rows, parts), place in zip(lists, places, strict=True):
        if place and not is_cursor(rows, parts, place):
            raise InputError("not-an-id", field="cursor")
        page = page_of(rows, parts, place, limit) if place or not cursor else None
        found.append(page.rows if page else [])
        following.append(page.next if page else "")
    if any(following):
        query = {**{name: value for name, value in (said or {}).items() if value}, "limit": limit}
        address = f"{request.path}?{urlencode({**query, 'cursor': _BETWEEN.join(following)}, safe='~=')}"
        response["Link"] = f'<{address}>; rel="next"'
    return found
