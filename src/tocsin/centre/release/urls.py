"""Addresses of country packages."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("packages/", views.package_list, name="package-list"),
    path("packages/new/", views.package_create, name="package-create"),
    path("packages/<str:number>.zip", views.package_download, name="package-download"),
]
