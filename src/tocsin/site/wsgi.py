"""What the web server loads."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from tocsin.site import occupancy

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
occupancy.share(settings.INSTALLATION.home)
application = get_wsgi_application()
