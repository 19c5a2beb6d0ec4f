"""Addresses of terms, purges and legal holds."""

from __future__ import annotations

from django.urls import path

from . import copy_views, views

urlpatterns = [
    path("terms/", views.term_list, name="terms"),
    path("terms/<int:key>/answer/", views.term_answer, name="term-answer"),
    path("deliveries/<str:receipt>/term/", views.term_of, name="term-of"),
    path("purges/", views.purge_list, name="purges"),
    path("purges/<str:number>/certificate", views.purge_certificate, name="purge-certificate"),
    path("purges/<str:number>/looked/", views.purge_looked, name="purge-looked"),
    path("legal-holds/", views.hold_list, name="legal-holds"),
    path("legal-holds/purge/", views.purge_order, name="purge-order"),
    path("legal-holds/<int:key>/lift/", views.hold_lift, name="legal-hold-lift"),
    path("legal-holds/<int:key>/certificate", views.copy_certificate, name="copy-certificate"),
    path("legal-holds/<int:key>/copy/", copy_views.copy_page, name="legal-hold-copy"),
    path("legal-holds/<int:key>/copy/open/", copy_views.copy_approve, name="legal-hold-copy-open"),
    path("legal-holds/<int:key>/copy/take/", copy_views.copy_take, name="legal-hold-copy-take"),
]
