"""What the web server loads."""

import os

from django.core.wsgi import get_wsgi_application

from tocsin.core.later import put_off

put_off()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tocsin.site.settings")
application = get_wsgi_application()
