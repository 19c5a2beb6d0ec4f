"""What the web server loads."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from tocsin.site import occupancy
from tocsin.site.databases import for_pages

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
occupancy.share(settings.INSTALLATION.home)
for_pages(settings.DATABASES["default"])
application = get_wsgi_application()
