"""Addresses of the look-up, standing queries and the review queue."""

from __future__ import annotations

from django.urls import path

from tocsin.centre import numbers  # noqa: F401 - the converter `row`.

from .views import lookups, review

urlpatterns = [
    path("lookup/", lookups.lookup, name="lookup"),
    path("objects/<row:key>/", lookups.object_page, name="object"),
    path("objects/<row:key>/raw", lookups.object_download, name="object-raw"),
    path("watches/", lookups.watches, name="watches"),
    path("watches/add/", lookups.watch_add, name="watch-add"),
    path("watches/<int:key>/stop/", lookups.watch_stop, name="watch-stop"),
    path("review/", review.review, name="review"),
    path("review/proposals/", review.decide_proposals, name="decide-proposals"),
    path("review/countries/", review.decide_countries, name="decide-countries"),
    path("review/countries/decided/", review.decided_countries, name="decided-countries"),
    path("review/countries/<int:key>/correct/", review.correct_country, name="correct-country"),
    path("review/countries/<int:key>/", review.decide_country, name="decide-country"),
]
