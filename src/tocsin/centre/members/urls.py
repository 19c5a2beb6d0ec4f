"""Addresses of people's own pages."""

from __future__ import annotations

from django.urls import path

from . import agreement_views, factor_views, provider_setup_views, provider_views, session_views, views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-in/second/", factor_views.sign_in_second, name="sign-in-second"),
    path("sign-in/passkey/", factor_views.sign_in_passkey, name="sign-in-passkey"),
    path("sign-in/challenge/", factor_views.passkey_challenge, name="passkey-challenge"),
    path("sign-in/organisation/", provider_views.sign_in_organisation, name="sign-in-organisation"),
    path("sign-in/provider/<slug:key>/", provider_views.start, name="provider-start"),
    path("sign-in/provider/<slug:key>/back/", provider_views.back, name="provider-back"),
    path("sign-in/provider/<slug:key>/assertion/", provider_views.assertion, name="provider-assertion"),
    path("sign-in/provider/<slug:key>/metadata/", provider_views.metadata, name="provider-metadata"),
    path("organisations/<slug:slug>/provider/", provider_setup_views.provider_page, name="provider"),
    path("organisations/<slug:slug>/provider/switch/", provider_setup_views.provider_switch, name="provider-switch"),
    path("organisations/<slug:slug>/provider/remove/", provider_setup_views.provider_remove, name="provider-remove"),
    path(
        "organisations/<slug:slug>/provider/unlink/<int:identity>/",
        provider_setup_views.provider_unlink,
        name="provider-unlink",
    ),
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
    path("account/proof/", factor_views.prove, name="prove"),
    path("account/factors/", factor_views.factors_page, name="factors"),
    path("account/factors/app/", factor_views.app, name="factor-app"),
    path("account/factors/app/remove/", factor_views.app_remove, name="factor-app-remove"),
    path("account/factors/codes/", factor_views.recovery_codes, name="recovery-codes"),
    path("account/factors/passkeys/", factor_views.passkey_add, name="passkey-add"),
    path("account/factors/passkeys/<int:passkey>/remove/", factor_views.passkey_remove, name="passkey-remove"),
    path("account/sessions/", session_views.sessions_page, name="sessions"),
    path("account/sessions/others/end/", session_views.others_end, name="sessions-end"),
    path("account/sessions/<int:session>/end/", session_views.session_end, name="session-end"),
    path("language/", views.set_language, name="set-language"),
]
