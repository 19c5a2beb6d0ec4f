"""Addresses of people's own pages."""

from __future__ import annotations

from django.urls import path

from . import agreement_views, views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("account/password/", views.change_password, name="change-password"),
    path("account/preferences/", views.preferences, name="preferences"),
    path("account/keys/", views.keys, name="keys"),
    path("account/keys/<int:key>/revoke/", views.key_revoke, name="key-revoke"),
    path("agreement/", agreement_views.own_agreement, name="own-agreement"),
    path("organisations/<slug:slug>/agreement/", agreement_views.agreement, name="agreement"),
    path("organisations/<slug:slug>/agreement/prepare/", agreement_views.agreement_prepare, name="agreement-prepare"),
    path("organisations/<slug:slug>/agreement/<int:key>/", agreement_views.agreement, name="agreement-of"),
    path("organisations/<slug:slug>/agreement/<int:key>/step/", agreement_views.agreement_move, name="agreement-move"),
    path(
        "organisations/<slug:slug>/agreement/<int:key>/<slug:part>/",
        agreement_views.agreement_part,
        name="agreement-part",
    ),
    path("language/", views.set_language, name="set-language"),
]
