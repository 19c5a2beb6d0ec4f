"""The topic `rights` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.rights"
    label = "rights"
    default_auto_field = "django.db.models.BigAutoField"
