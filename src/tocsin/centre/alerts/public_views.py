"""The public site through Django: what the server's loop does not have at hand, and every other way to ask."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponsePermanentRedirect

from tocsin.products.alerts import addresses

from .answers import Headers, Held, headers_of, redirect_headers, takes_gzip
from .shelf import SHELF, is_encrypted

PLAIN = "text/plain; charset=utf-8"


def public_file(request: HttpRequest, path: str = "") -> HttpResponse:
    """The file at this address, to anybody."""
    if request.method not in {"GET", "HEAD"}:
        return HttpResponseNotAllowed(["GET", "HEAD"])
    return published(request, path) or _absent(request, path)


def published(request: HttpRequest, path: str) -> HttpResponse | None:
    """What was published there; None: nothing."""
    held = SHELF.look_up(path)
    if held is None:
        return None
    if not path and (language := SHELF.language(request.headers.get("Accept-Language", ""))):
        return _with(HttpResponse(status=302), redirect_headers(language))
    return _answered(request, held)


def _absent(request: HttpRequest, path: str) -> HttpResponse:
    if path and not path.endswith("/") and SHELF.look_up(f"{path}/") is not None:
        return HttpResponsePermanentRedirect(f"{request.path}/")
    page = SHELF.look_up(addresses.NOT_FOUND)
    if page is None:
        return HttpResponse("Not found\n", content_type=PLAIN, status=404)
    return _answered(request, Held(page.sha256, page.media_type, page.published_at, page.path, page.plain, page.packed,
                                   is_absent=True))  # fmt: skip


def _answered(request: HttpRequest, held: Held) -> HttpResponse:
    said = {name.lower(): value for name, value in request.headers.items()}
    is_packed = held.packed is not None and takes_gzip(said.get("accept-encoding", ""))
    if held.is_as_known(said):
        return _with(HttpResponse(status=304), headers_of(held, is_packed, is_encrypted=is_encrypted(), status=304))
    body = held.packed if is_packed and held.packed is not None else held.plain
    response = HttpResponse(body, status=held.status)
    response["Content-Length"] = str(len(body))
    SHELF.count(held.path, request.headers.get("Referer", ""))
    return _with(response, headers_of(held, is_packed, is_encrypted=is_encrypted()))


def _with(response: HttpResponse, headers: Headers) -> HttpResponse:
    if response.status_code in {302, 304}:
        del response["Content-Type"]
    for name, value in headers:
        response[name] = value
    return response


def robots(request: HttpRequest) -> HttpResponse:
    """Of the whole portal, the public site alone is to be found."""
    origin = request.build_absolute_uri("/").rstrip("/")
    text = f"User-agent: *\nAllow: /alerts/\nDisallow: /\nSitemap: {origin}/alerts/{addresses.sitemap()}\n"
    return HttpResponse(text, content_type=PLAIN)
