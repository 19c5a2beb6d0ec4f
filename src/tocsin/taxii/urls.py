"""Addresses of TAXII 2.1 below /taxii2/."""

from __future__ import annotations

from django.urls import path, re_path

from . import public, views

COLLECTION = "<slug:slug>/collections/<slug:name>/"

PUBLIC = f"{public.SLUG}/"
OPEN = f"{PUBLIC}collections/<slug:name>/"

urlpatterns = [
    path("", views.discovery, name="taxii-discovery"),
    path(PUBLIC, public.api_root, name="taxii-public-root"),
    path(f"{PUBLIC}collections/", public.collections, name="taxii-public-collections"),
    path(OPEN, public.collection, name="taxii-public-collection"),
    path(f"{OPEN}objects/", public.objects, name="taxii-public-objects"),
    path(f"{OPEN}manifest/", public.objects, name="taxii-public-manifest"),
    re_path(f"^{PUBLIC}.+$", public.nothing, name="taxii-public-nothing"),
    path("<slug:slug>/", views.api_root, name="taxii-root"),
    path("<slug:slug>/status/<slug:receipt>/", views.status, name="taxii-status"),
    path("<slug:slug>/collections/", views.collections, name="taxii-collections"),
    path(COLLECTION, views.collection, name="taxii-collection"),
    path(f"{COLLECTION}objects/", views.objects, name="taxii-objects"),
    path(f"{COLLECTION}manifest/", views.manifest, name="taxii-manifest"),
    path(f"{COLLECTION}objects/<str:object_id>/", views.one_object, name="taxii-object"),
    path(f"{COLLECTION}objects/<str:object_id>/versions/", views.versions, name="taxii-versions"),
    re_path("^.+$", views.nothing, name="taxii-nothing"),
]
