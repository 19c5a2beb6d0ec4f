"""Addresses of requests about oneself."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("your-data/", views.ask, name="your-data"),
    path("commission/", views.request_list, name="rights"),
    path("commission/enter/", views.request_enter, name="rights-enter"),
    path("commission/<str:number>/", views.request_page, name="rights-request"),
    path("commission/<str:number>/letter", views.request_letter, name="rights-letter"),
    path("commission/<str:number>/<slug:act>/", views.request_act, name="rights-act"),
]
