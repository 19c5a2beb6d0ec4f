"""Addresses of redacted versions."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("redactions/", views.redaction_list, name="redactions"),
    path("redactions/<int:key>/", views.redaction, name="redaction"),
    path("deliveries/<str:receipt>/redact/", views.redaction_new, name="redaction-new"),
]
