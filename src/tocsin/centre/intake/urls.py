"""Addresses of deliveries, uploads, feeds and organisations."""

from __future__ import annotations

from django.urls import path

from .views import (
    allowances,
    deliveries,
    emergency,
    feeds,
    grades,
    holds,
    lake_page,
    organisations,
    restrictions,
    upload,
)

urlpatterns = [
    path("deliveries/", deliveries.delivery_list, name="deliveries"),
    path("deliveries/<str:receipt>/", deliveries.delivery, name="delivery"),
    path("deliveries/<str:receipt>/receipt.json", deliveries.receipt, name="receipt"),
    path("deliveries/<str:receipt>/rejections.csv", deliveries.delivery_rejections, name="delivery-rejections"),
    path("deliveries/<str:receipt>/mend/", deliveries.delivery_mend, name="delivery-mend"),
    path("deliveries/<str:receipt>/grades/", grades.delivery_grades, name="delivery-grades"),
    path("deliveries/<str:receipt>/original", deliveries.delivery_original, name="delivery-original"),
    path("deliveries/<str:receipt>/answer/", holds.delivery_answer, name="delivery-answer"),
    path("deliveries/<str:receipt>/urgent/", deliveries.delivery_urgent, name="delivery-urgent"),
    path("deliveries/<str:receipt>/read-again/", deliveries.delivery_read_again, name="delivery-read-again"),
    path("deliveries/<str:receipt>/map-columns/", upload.map_columns_of, name="map-columns-of"),
    path("legal/", holds.hold_list, name="holds"),
    path("legal/<int:key>/", holds.hold, name="hold"),
    path("legal/<int:key>/notes/", holds.hold_note, name="hold-note"),
    path("legal/<int:key>/decide/", holds.hold_decide, name="hold-decide"),
    path("restrictions/read/", restrictions.restriction_read, name="restriction-read"),
    path("upload/", upload.upload, name="upload"),
    path("map-columns/", upload.map_columns, name="map-columns"),
    path("map-columns/<str:token>/", upload.map_columns_table, name="map-columns-table"),
    path("emergency/<int:key>/", emergency.emergency_page, name="emergency"),
    path("emergency/<int:key>/<str:receipt>/", emergency.emergency_delivery, name="emergency-delivery"),
    path("emergency/<int:key>/<str:receipt>/original", emergency.emergency_original, name="emergency-original"),
    path("store/", lake_page.lake_page, name="store"),
    path("feeds/", feeds.feed_list, name="feeds"),
    path("feeds/switch/", feeds.feed_switch, name="feed-switch"),
    path("feeds/run/", feeds.feed_run, name="feed-run"),
    path("organisations/", organisations.organisation_list, name="organisations"),
    path("organisations/new/", organisations.organisation_add, name="organisation-add"),
    path("organisations/<slug:slug>/", organisations.organisation, name="organisation"),
    path("organisations/<slug:slug>/limits/", allowances.organisation_limits, name="organisation-limits"),
    path("organisations/<slug:slug>/edit/", organisations.organisation_edit, name="organisation-edit"),
]
