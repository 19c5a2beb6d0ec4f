"""The public site: whatever is published lies at the address that its row names."""

from django.urls import path

from . import public_views

urlpatterns = [
    path("alerts/", public_views.public_file, name="public-site"),
    path("alerts/<path:path>", public_views.public_file, name="public-file"),
    path("robots.txt", public_views.robots, name="robots"),
]
