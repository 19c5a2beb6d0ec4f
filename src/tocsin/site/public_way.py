"""A way of its own for published files: sessions, forms and languages are for people of the portal."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from tocsin.centre.alerts.public_views import published

DOOR = "/alerts/"


class PublicWay:
    """Answers what was published; all else below the same address goes on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in {"GET", "HEAD"} and request.path_info.startswith(DOOR):
            found = published(request, request.path_info.removeprefix(DOOR))
            if found is not None:
                return found
        return self.get_response(request)
