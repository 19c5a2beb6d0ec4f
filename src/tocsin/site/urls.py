"""Root addresses: each topic brings its own."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from tocsin.taxii.views import nothing as taxii_nothing

from . import acts, countries, views

urlpatterns: list[URLPattern | URLResolver] = [
    # Programs ask the most: their addresses are not looked for behind all of the pages'.
    path("api/v1/", include("tocsin.api.urls")),
    path("taxii2/", include("tocsin.taxii.urls")),
    path("taxii2", taxii_nothing, name="taxii-without-slash"),
    path("", views.home, name="home"),
    path("countries/", countries.countries, name="countries"),
    path("countries/<str:code>/", countries.country_page, name="country"),
    path("countries/<str:code>/networks/", countries.country_networks, name="country-networks"),
    path("settings/", views.settings_page, name="settings"),
    path("log/", acts.acts, name="acts"),
    path("log/export", acts.acts_export, name="acts-export"),
    path("log/key", acts.acts_key, name="acts-key"),
    path("log/verify/", acts.acts_verify, name="acts-verify"),
    path("log/<int:number>/", acts.act, name="act"),
    path("log/<int:number>/proof", acts.act_proof, name="act-proof"),
    path("help/formats/", views.help_formats, name="help-formats"),
    path("health", views.health, name="health"),
    path("", include("tocsin.centre.members.urls")),
    path("", include("tocsin.centre.intake.urls")),
    path("", include("tocsin.centre.analysis.urls")),
    path("", include("tocsin.centre.permissions.urls")),
    path("", include("tocsin.centre.redaction.urls")),
    path("", include("tocsin.centre.release.urls")),
    path("", include("tocsin.centre.reach.urls")),
    path("", include("tocsin.centre.recall.urls")),
    path("", include("tocsin.centre.partners.urls")),
    path("", include("tocsin.centre.circulars.urls")),
    path("", include("tocsin.centre.alerts.urls")),
    path("", include("tocsin.centre.retention.urls")),
    path("", include("tocsin.centre.rights.urls")),
    path("", include("tocsin.centre.subscribers.urls")),
    path("", include("tocsin.centre.referrals.urls")),
    # Whatever lies below the public site and is nobody else's.
    path("", include("tocsin.centre.alerts.public_urls")),
]

handler400 = "tocsin.site.views.bad_request"
handler403 = "tocsin.site.views.forbidden"
handler404 = "tocsin.site.views.not_found"
handler500 = "tocsin.site.views.failed"
