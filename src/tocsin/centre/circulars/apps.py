"""The topic `circulars` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.circulars"
    label = "circulars"
    default_auto_field = "django.db.models.BigAutoField"
