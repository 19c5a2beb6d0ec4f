"""The site as a Django application."""

from django.apps import AppConfig


class Config(AppConfig):
    name = "tocsin.site"
    label = "site"
