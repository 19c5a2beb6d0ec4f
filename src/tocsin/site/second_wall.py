"""Which tables stand behind the second wall, and that the answers to readers are made behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from tocsin.centre.analysis.models import CountryConflict, Proposal
from tocsin.centre.intake import wall
from tocsin.centre.intake.models import NameTally, Tally
from tocsin.centre.knowledge.models import Block, Document, Object, Rendering
from tocsin.centre.members.models import Person
from tocsin.lake.objects import OBJECTS_IN_BLOCK

WALLED = (Object, Document, Rendering, Proposal, CountryConflict, Tally, NameTally)
"""What hold assertions, each with the batch that it belongs to."""


def build(connection: BaseDatabaseWrapper) -> bool:
    """Raise the wall in a database that has its tables."""
    tables = [model._meta.db_table for model in WALLED]
    written = {Rendering._meta.db_table}
    return wall.build(connection, tables, Block._meta.db_table, OBJECTS_IN_BLOCK, written=written)


class BehindTheWall:
    """Answers to who reads a page are made behind the second wall; machine doors confine when they know who calls."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        wall.leave()  # What an answer that broke off may have left.
        if isinstance(request.user, Person):
            wall.confine(request.user, request.method)
        try:
            response = self.get_response(request)
        finally:
            told = wall.leave()
        if told is not None and response.streaming:
            streamed = cast(StreamingHttpResponse, response)
            streamed.streaming_content = wall.within(told, cast(Iterable[bytes], streamed.streaming_content))
        return response
