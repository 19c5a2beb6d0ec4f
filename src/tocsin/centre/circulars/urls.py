"""Addresses of circulars."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("circulars/", views.circular_list, name="circulars"),
    path("circulars/write/", views.circular_write, name="circular-write"),
    path("circulars/<str:number>/", views.circular_page, name="circular"),
    path("circulars/<str:number>/acknowledge/", views.circular_acknowledge, name="circular-acknowledge"),
    path("circulars/<str:number>/open/", views.circular_open, name="circular-open"),
    path("circulars/<str:number>/check/", views.circular_check, name="circular-check"),
    path("circulars/<str:number>/file", views.circular_file, name="circular-file"),
]
