"""The topic `jobs` as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.centre.jobs"
    label = "jobs"
    default_auto_field = "django.db.models.BigAutoField"
