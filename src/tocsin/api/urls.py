"""The API's addresses, and its documentation as a plain page that fetches nothing from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import URLPattern, URLResolver, path
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from tocsin import __version__

from . import alerts, answers, circulars, deliveries, errors, handling, permissions, recalls, received, scorecards
from .callers import KeyAuth, SessionAuth
from .parsing import KeptTexts

HERE = Path(__file__).parent

api = NinjaAPI(
    title="Tocsin",
    version=__version__,
    description="Deliveries in, answers out. Every answer shows what its asker may see, and nothing else.",
    urls_namespace="api-v1",
    auth=[KeyAuth(), SessionAuth()],
    parser=KeptTexts(),
    docs_url=None,
    openapi_url="/openapi.json",
)
api.add_router("/deliveries", deliveries.router)
api.add_router("/deliveries", handling.router)
api.add_router("/received", received.router)
api.add_router("/reach", received.reach_router)
api.add_router("/circulars", circulars.router)
api.add_router("/permissions", permissions.router)
api.add_router("", alerts.router)
api.add_router("", answers.router)
api.add_router("", recalls.router)
api.add_router("", scorecards.router)
errors.install(api)


@require_safe
def documentation(request: HttpRequest) -> HttpResponse:
    """Each address with its parameters and answers, made from the same description that programs read."""
    schema: dict[str, Any] = api.get_openapi_schema(path_prefix="/api/v1/")
    operations = [
        {"method": method.upper(), "path": address, **operation}
        for address, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    template = engines["django"].from_string((HERE / "documentation.html").read_text(encoding="utf-8"))
    shapes = sorted(schema["components"]["schemas"].items())
    return HttpResponse(template.render({"info": schema["info"], "operations": operations, "shapes": shapes}, request))


urlpatterns: list[URLPattern | URLResolver] = [
    path("docs", documentation, name="api-documentation"),
    path("", api.urls),
]
