"""Addresses of what partners see of their part."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("partnership/", views.partnership, name="partnership"),
    path("partnership/scorecard.csv", views.scorecard_csv, name="scorecard-csv"),
    path("scorecards/", views.scorecards, name="scorecards"),
    path("scorecards/all.csv", views.scorecards_csv, name="scorecards-csv"),
]
