"""Addresses of subscribing, for everybody; and of what the desk sees of it."""

from __future__ import annotations

from django.urls import path

from . import reach_views, views

urlpatterns = [
    path("alert-service/mail/", views.mail, name="alert-mail"),
    path("alert-service/mail/<str:language>/", views.mail, name="alert-mail-in"),
    path("alert-service/webhook/", views.webhook, name="alert-webhook"),
    path("alert-service/webhook/<str:language>/", views.webhook, name="alert-webhook-in"),
    path("alert-service/push/", views.push, name="alert-push"),
    path("alert-service/push/<str:language>/", views.push, name="alert-push-in"),
    path("alert-service/push-worker.js", views.push_worker, name="alert-push-worker"),
    path("alert-service/push-register", views.push_register, name="alert-push-register"),
    path("alert-service/push-leave", views.push_leave, name="alert-push-leave"),
    path("alert-service/confirm/<str:token>/", views.confirm, name="alert-confirm"),
    path("alert-service/own/<str:token>/", views.own, name="alert-own"),
    path("alert-service/own/<str:token>/data.json", views.own_data, name="alert-own-data"),
    path("alert-service/leave/<str:token>/", views.leave, name="alert-leave"),
    path("alert-reach/", reach_views.reach, name="alert-public-reach"),
    path("alert-reach/<str:number>/", reach_views.reach_of_alert, name="alert-public-reach-of"),
]
