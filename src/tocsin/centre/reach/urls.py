"""Addresses of what was received, of the board and of the reach map."""

from __future__ import annotations

from django.urls import path

from tocsin.centre import numbers  # noqa: F401 - the converter `row`.

from . import board_views, views

urlpatterns = [
    path("received/", views.received_list, name="received-list"),
    path("received/acknowledge/", views.received_acknowledge, name="received-acknowledge"),
    path("received/<str:reference>/", views.received, name="received"),
    path("received/<str:reference>/answer/", views.received_answer, name="received-answer"),
    path("follow-up/", board_views.board, name="follow-up"),
    path("follow-up/<str:kind>/<str:number>/", board_views.line, name="follow-up-line"),
    path("follow-up/<str:kind>/<str:number>/chase/", board_views.chase, name="follow-up-chase"),
    path("deliveries/<str:receipt>/reach/", board_views.delivery_reach, name="delivery-reach"),
    path("objects/<row:key>/reach/", board_views.object_reach, name="object-reach"),
]
