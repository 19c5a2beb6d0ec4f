"""Addresses of releases, standing orders and country packages."""

from __future__ import annotations

from django.urls import path

from . import desk_views, order_views, simulator_views, views

urlpatterns = [
    path("release/", desk_views.release_desk, name="release-desk"),
    path("release/delivery/<str:receipt>/", desk_views.release_of, name="release-of"),
    path("release/simulator/", simulator_views.release_simulator, name="release-simulator"),
    path("release/orders/", order_views.order_list, name="orders"),
    path("release/orders/new/", order_views.order_new, name="order-new"),
    path("release/orders/<int:key>/", order_views.order, name="order"),
    path("packages/", views.package_list, name="package-list"),
    path("packages/new/", views.package_create, name="package-create"),
    path("packages/<str:number>/", views.package_page, name="package"),
    path("packages/<str:number>.zip", views.package_download, name="package-download"),
]
