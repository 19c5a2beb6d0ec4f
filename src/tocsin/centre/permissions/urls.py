"""Addresses of permissions."""

from __future__ import annotations

from django.urls import path

from tocsin.centre import numbers  # noqa: F401 - the converter `row`.

from . import views

urlpatterns = [
    path("permissions/", views.permission_list, name="permissions"),
    path("permissions/asked-of-you/", views.permissions_asked, name="permissions-asked"),
    path("permissions/<row:key>/", views.permission, name="permission"),
    path("permissions/ask/<str:receipt>/", views.permission_ask, name="permission-ask"),
    path("permissions/ask/part/<row:number>/", views.permission_ask_part, name="permission-ask-part"),
]
