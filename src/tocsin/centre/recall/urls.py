"""Addresses of recalls."""

from __future__ import annotations

from django.urls import path

from . import views

urlpatterns = [
    path("recalls/", views.recall_list, name="recalls"),
    path("recalls/<str:number>/", views.recall_page, name="recall"),
    path("recalls/<str:number>/answer/", views.recall_answer, name="recall-answer"),
    path("recalls/<str:number>/certificate", views.recall_certificate, name="recall-certificate"),
    path("deliveries/<str:receipt>/recall/", views.delivery_recall, name="delivery-recall"),
]
