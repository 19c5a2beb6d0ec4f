"""What the web server loads."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from tocsin.core.later import put_off

put_off()

from tocsin.site import occupancy, sparing  # noqa: E402 - what they import is put off.
from tocsin.site.databases import for_pages  # noqa: E402

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
occupancy.share(settings.INSTALLATION.home)
for_pages(settings.DATABASES["default"])
application = get_wsgi_application()
sparing.watch()
