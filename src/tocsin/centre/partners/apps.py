"""The topic `partners` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.partners"
    label = "partners"
    default_auto_field = "django.db.models.BigAutoField"
