"""Pages on which anybody subscribes, confirms, changes and leaves. They work without a script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.request import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tocsin.core.errors import InputError, NotFound
from tocsin.core.words import Offence
from tocsin.products.alerts.notice import SEVERITIES, Preferences
from tocsin.products.alerts.record import AlertType

from . import sending, services
from .door import (
    TooQuick,
    address_of,
    countries,
    language_of,
    languages,
    open_to_all,
    page,
    require_person,
    say_in,
    stamp,
    told,
)
from .models import Kind, Subscriber
from .services import Wish

LONGEST_JSON = 8_192


def choices(language: str, chosen: Preferences) -> dict[str, Any]:
    """What a form offers, and what of it is chosen."""
    say = say_in(language)
    kinds = [each for each in AlertType if each.is_for_the_public]
    return {
        "languages": languages(),
        "countries": [(code, name, code in chosen.countries) for code, name in countries(language)],
        "offences": [(each.value, say(f"offence.{each}"), each.value in chosen.offences)
                     for each in Offence if each is not Offence.NONE],
        "types": [(each.value, say(f"type.{each}"), each.value in chosen.types) for each in kinds],
        "severities": [(each.value, say(f"severity.{each}"), each.value == chosen.severity) for each in SEVERITIES],
        "stamp": stamp(),
    }  # fmt: skip


def wish_of(said: QueryDict, language: str) -> Wish:
    """What a form says. Raises InputError."""
    return Wish.of(
        said.get("language") or language, said.getlist("country"), said.getlist("offence"), said.getlist("type"),
        said.get("severity", ""),
    )  # fmt: skip


def _form(kind: Kind, language: str, status: int = 200, **facts: Any) -> HttpResponse:
    named = {Kind.MAIL: "service.mail", Kind.HOOK: "service.webhook"}[kind]
    label = {Kind.MAIL: "service.address", Kind.HOOK: "service.webhook_address"}[kind]
    shown = {"name": named, "label": label, "kind": kind.value, **choices(language, Preferences()), **facts}
    return page("subscribers/subscribe.html", language, status, **shown)


@open_to_all
@require_http_methods(["GET", "HEAD", "POST"])
def mail(request: HttpRequest, language: str = "") -> HttpResponseBase:
    """Ask for alerts by mail. The answer is the same whoever asks for which address."""
    language = language_of(request, language)
    if settings.INSTALLATION.mail is None:
        return told(language, "service.not_offered", 404, text=" ")
    if request.method != "POST":
        return _form(Kind.MAIL, language)
    said, say = request.POST, say_in(language)
    try:
        if require_person(request):
            wish = wish_of(said, language)
            services.ask_mail(said.get("address", ""), wish, network=address_of(request), at=timezone.now())
    except TooQuick:
        return _form(Kind.MAIL, language, 422, error=say("service.too_quick"), address=said.get("address", ""))
    except InputError:
        return _form(Kind.MAIL, language, 422, error=say("service.bad_address"), address=said.get("address", ""))
    return told(language, "service.asked")


@open_to_all
@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: HttpRequest, language: str = "") -> HttpResponseBase:
    """Ask for alerts at a server. It is asked before anything else is sent there."""
    language = language_of(request, language)
    if request.method != "POST":
        return _form(Kind.HOOK, language)
    said, say, inside = request.POST, say_in(language), settings.INSTALLATION.inner_webhooks
    try:
        if not require_person(request):
            return told(language, "service.webhook_asked")
        wish, network = wish_of(said, language), address_of(request)
        made = services.ask_server(
            said.get("address", ""), wish, network=network, at=timezone.now(), may_lie_inside=inside
        )
    except TooQuick:
        return _form(Kind.HOOK, language, 422, error=say("service.too_quick"), address=said.get("address", ""))
    except InputError:
        return _form(Kind.HOOK, language, 422, error=say("service.bad_webhook"), address=said.get("address", ""))
    own = sending.absolute("alert-own", services.token(made, "own"))
    return told(language, "service.webhook_asked", secret=made.secrets["secret"], own=own)


@open_to_all
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponseBase:
    """The page of the link in the first mail. Only its button confirms: programs that look at links press none."""
    try:
        subscriber = services.subscriber_with(token, "confirm")
        language = language_of(request, subscriber.language)
        if request.method == "POST":
            services.confirm(subscriber, timezone.now())
            own = reverse("alert-own", args=[services.token(subscriber, "own")])
            return told(language, "service.confirmed", text=say_in(language)("service.confirm_text"), own=own)
    except NotFound:
        return told(language_of(request), "service.no_link", 404)
    return told(language, "service.confirm", button=say_in(language)("confirm.button"))


@open_to_all
@require_http_methods(["GET", "HEAD", "POST"])
def own(request: HttpRequest, token: str) -> HttpResponseBase:
    """What a subscriber chose, to be changed; what is kept of it; and the way out."""
    try:
        subscriber = services.subscriber_with(token, "own")
    except NotFound:
        return told(language_of(request), "service.no_link", 404)
    language, is_saved, status = subscriber.language, False, 200
    if request.method == "POST":
        try:
            services.change(subscriber, wish_of(request.POST, language))
            language, is_saved = subscriber.language, True
        except InputError:
            status = 422
    facts = {"subscriber": subscriber, "address": services.address_of(subscriber), "token": token,
             "is_saved": is_saved, **choices(language, services.preferences_of(subscriber))}  # fmt: skip
    return page("subscribers/own.html", language, status, **facts)


@open_to_all
@require_safe
def own_data(request: HttpRequest, token: str) -> HttpResponseBase:
    """All that is kept of a subscriber, for itself (a copy of one's own data)."""
    try:
        subscriber = services.subscriber_with(token, "own")
    except NotFound:
        return told(language_of(request), "service.no_link", 404)
    response = JsonResponse(services.own_data(subscriber), json_dumps_params={"ensure_ascii": False, "indent": 1})
    response["Content-Disposition"] = 'attachment; filename="subscription.json"'
    return response


@open_to_all
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest, token: str) -> HttpResponseBase:
    """End a subscription: the button here, or the one of a mail program (RFC 8058). Done before, it is done too."""
    try:
        subscriber = services.subscriber_with(token, "own")
    except NotFound:
        is_done = request.method == "POST"
        return told(language_of(request), "service.left" if is_done else "service.no_link", 200 if is_done else 404)
    language = language_of(request, subscriber.language)
    if request.method == "POST":
        services.leave(subscriber, why="own-wish", at=timezone.now())
        return told(language, "service.left")
    return told(language, "service.leave", button=say_in(language)("service.leave"))


@open_to_all
@require_safe
def push(request: HttpRequest, language: str = "") -> HttpResponseBase:
    """Let this browser show alerts. Without a script it says what there is instead."""
    language = language_of(request, language)
    key = sending.push_key(timezone.now()).public
    facts: dict[str, Any] = {"push_key": key, "register": reverse("alert-push-register"),
             "worker": reverse("alert-push-worker"), "leave": reverse("alert-push-leave")}  # fmt: skip
    return page("subscribers/push.html", language, **facts, **choices(language, Preferences()))


@open_to_all
@require_safe
def push_worker(request: HttpRequest) -> HttpResponseBase:
    """What shows the notice in the browser. Its address decides for which pages it may work."""
    path = finders.find("site/alert-push-worker.js")
    assert isinstance(path, str)
    return HttpResponse(Path(path).read_bytes(), content_type="text/javascript; charset=utf-8")


def _said(request: HttpRequest) -> dict[str, Any]:
    """Raises InputError for what is no object of JSON, or too much."""
    if len(request.body) > LONGEST_JSON:
        raise InputError("too-large", field="body")
    try:
        said = json.loads(request.body)
    except ValueError as error:
        raise InputError("invalid-object", field="body") from error
    if not isinstance(said, dict):
        raise InputError("invalid-object", field="body")
    return said


@open_to_all
@require_POST
def push_register(request: HttpRequest) -> HttpResponseBase:
    """What the script of the page sends."""
    try:
        said = _said(request)
        chosen = {name: [str(each) for each in said.get(name) or ()] for name in ("countries", "offences", "types")}
        wish = Wish.of(str(said.get("language") or "en"), severity=str(said.get("severity") or ""), **chosen)
        subscription = said.get("subscription")
        services.add_browser(
            subscription if isinstance(subscription, dict) else {}, wish, network=address_of(request),
            at=timezone.now(), may_lie_inside=settings.INSTALLATION.inner_webhooks,
        )  # fmt: skip
    except (InputError, TypeError):
        return JsonResponse({"status": "not-understood"}, status=422)
    return JsonResponse({"status": "ok"})


@open_to_all
@require_POST
def push_leave(request: HttpRequest) -> HttpResponseBase:
    """A browser that shows no more alerts: who knows its endpoint may end it. The answer is always the same."""
    try:
        endpoint = _said(request).get("endpoint")
    except InputError:
        return JsonResponse({"status": "not-understood"}, status=422)
    services.count("push", address_of(request), timezone.now())
    if isinstance(endpoint, str) and len(endpoint) <= services.LONGEST_ADDRESS:
        word = services.sealed_address(endpoint)
        for each in Subscriber.objects.filter(kind=Kind.PUSH, address=word):
            services.leave(each, why="own-wish", at=timezone.now())
    return JsonResponse({"status": "ok"})
