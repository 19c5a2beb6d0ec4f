"""The topic `subscribers` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.subscribers"
    label = "subscribers"
    default_auto_field = "django.db.models.BigAutoField"
