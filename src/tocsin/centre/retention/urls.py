"""Addresses of terms, purges and legal holds."""

from __future__ import annotations

from django.urls import path

from . import views

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
]
