"""Addresses of recalls."""

from __future__ import annotations

from django.urls import path

from . import parts_views, relabel_views, views

urlpatterns = [
    path("recalls/", views.recall_list, name="recalls"),
    path("recalls/<str:number>/", views.recall_page, name="recall"),
    path("recalls/<str:number>/answer/", views.recall_answer, name="recall-answer"),
    path("recalls/<str:number>/close/", views.recall_close, name="recall-close"),
    path("recalls/<str:number>/certificate", views.recall_certificate, name="recall-certificate"),
    path("recalls/<str:number>/undo/", parts_views.recall_undo, name="recall-undo"),
    path("recalls/<str:number>/remake/", parts_views.recall_remake, name="recall-remake"),
    path("recalls/<str:number>/recalled.json", parts_views.recall_recalled, name="recall-recalled"),
    path("deliveries/<str:receipt>/recall/parts/", parts_views.delivery_recall_parts, name="delivery-recall-parts"),
    path("deliveries/<str:receipt>/handling/", relabel_views.delivery_relabel, name="delivery-relabel"),
    path("relabellings/<int:key>/", relabel_views.relabelling_page, name="relabelling"),
    path("deliveries/<str:receipt>/recall/", views.delivery_recall, name="delivery-recall"),
]
