"""Addresses of people's own pages."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("account/password/", views.change_password, name="change-password"),
    path("account/preferences/", views.preferences, name="preferences"),
    path("account/keys/", views.keys, name="keys"),
    path("account/keys/<int:key>/revoke/", views.key_revoke, name="key-revoke"),
    path("language/", views.set_language, name="set-language"),
]
