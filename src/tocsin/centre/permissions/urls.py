"""Addresses of permissions."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("permissions/", views.permission_list, name="permissions"),
    path("permissions/asked-of-you/", views.permissions_asked, name="permissions-asked"),
    path("permissions/<int:key>/", views.permission, name="permission"),
    path("permissions/ask/<str:receipt>/", views.permission_ask, name="permission-ask"),
    path("permissions/ask/part/<int:number>/", views.permission_ask_part, name="permission-ask-part"),
]
