"""Addresses of reports by citizens, and of a bureau's referrals."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("alert-service/report/", views.report, name="alert-report"),
    path("alert-service/report/<str:number>/<str:language>/", views.report, name="alert-report-on"),
    path("referrals/", views.referral_list, name="referrals"),
    path("referrals/<str:number>/", views.referral, name="referral"),
    path("referrals/<str:number>/close/", views.referral_close, name="referral-close"),
]
