"""Django's settings, from the installation's own file."""

from __future__ import annotations

from pathlib import Path

from django.utils.translation import gettext_lazy as _

from tocsin.core.errors import InputError
from tocsin.lake import buckets

from .databases import database_of
from .installation import load, located

INSTALLATION = load()
buckets.mount(*filter(None, [INSTALLATION.lake_mount]))
HERE = Path(__file__).resolve().parent

SECRET_KEY = INSTALLATION.secret
DEBUG = False
ALLOWED_HOSTS = [*INSTALLATION.allowed_hosts]
CSRF_TRUSTED_ORIGINS = [INSTALLATION.public_origin]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "tocsin.centre.audit",
    "tocsin.centre.clock",
    "tocsin.centre.jobs",
    "tocsin.centre.members",
    "tocsin.centre.ledger",
    "tocsin.centre.intake",
    "tocsin.centre.knowledge",
    "tocsin.centre.analysis",
    "tocsin.centre.permissions",
    "tocsin.centre.redaction",
    "tocsin.centre.alerts",
    "tocsin.centre.release",
    "tocsin.centre.reach",
    "tocsin.centre.recall",
    "tocsin.centre.circulars",
    "tocsin.centre.partners",
    "tocsin.centre.retention",
    "tocsin.centre.subscribers",
    "tocsin.centre.referrals",
    "tocsin.centre.rights",
    "tocsin.site",
]

MIDDLEWARE = [
    "tocsin.site.security.Watched",
    "tocsin.site.security.EveryAnswer",
    "tocsin.site.security.BehindProxy",
    "django.middleware.security.SecurityMiddleware",
    "tocsin.site.security.NotTaken",
    "tocsin.site.public_way.PublicWay",  # Outside of what packs pages: published files are packed already.
    "django.middleware.gzip.GZipMiddleware",  # Before the static files, so that these are compressed too.
    "tocsin.site.programs.ShortWay",  # Around all that is for people alone.
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tocsin.site.security.NotKept",
    "tocsin.site.preferences.Preferences",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tocsin.site.security.SessionsEnd",
    "django_htmx.middleware.HtmxMiddleware",
    "tocsin.site.programs.Together",
    "tocsin.site.second_wall.BehindTheWall",
    "tocsin.site.security.Enough",
    "tocsin.site.large_bodies.LargeBodies",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "tocsin.site.urls"
WSGI_APPLICATION = "tocsin.site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tocsin.site.frame.frame",
            ],
        },
    }
]

try:
    DATABASES = {"default": database_of(INSTALLATION.database, INSTALLATION.home)}
except InputError as _error:
    raise located(_error, INSTALLATION.home) from _error
PACKAGE_ENCLOSURES = ["tocsin.centre.alerts.parcels.enclosures"]
"""What goes into country packages beside rows (`centre/release/enclosing.py`)."""
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 2000}},
}

AUTH_USER_MODEL = "members.Person"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "tocsin.centre.members.passwords.Lengthened"},
    {"NAME": "tocsin.centre.members.passwords.Leaked"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("login", "name")},
    },
]
CSRF_FAILURE_VIEW = "tocsin.site.views.forged"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# Over https the names of cookies bind them to this very host: none comes in from, or goes out to, a neighbouring name.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = INSTALLATION.public_origin.startswith("https:")
SESSION_COOKIE_NAME = "__Host-sessionid" if SESSION_COOKIE_SECURE else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if CSRF_COOKIE_SECURE else "csrftoken"
CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French")), ("es", _("Spanish")), ("ar", _("Arabic"))]
LANGUAGE_COOKIE_NAME = "__Host-language" if LANGUAGE_COOKIE_SECURE else "language"
LOCALE_PATHS = [HERE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATICFILES_DIRS = [HERE / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_MAX_AGE = 30 * 86400  # Addresses of static files carry their digest (`asset`).
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "tocsin.core.log_lines.LogLine"}},
    "filters": {"without refusals": {"()": "tocsin.core.log_lines.WithoutRefusals"}},
    "handlers": {
        "stderr": {
            "class": "tocsin.core.log_lines.ToStandardError",
            "formatter": "line",
            "filters": ["without refusals"],
        },
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"django": {"handlers": [], "level": "WARNING", "propagate": True}},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
FILE_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
FILE_UPLOAD_TEMP_DIR = None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
