"""Settings, all from the environment; `rollbook doctor` explains what is missing. Defaults serve one machine:
SQLite, a key made at first start, everything under one data folder."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from environs import Env

from rollbook.kernel.proxies import trusted_proxies

env = Env()
ROOT = Path(__file__).resolve().parents[3]
ROLLBOOK_DATA_DIR = Path(env.str("ROLLBOOK_DATA_DIR", str(ROOT / "var"))).resolve()


def _secret_key() -> str:
    given = env.str("ROLLBOOK_SECRET_KEY", "")
    if given:
        return given
    kept = ROLLBOOK_DATA_DIR / "secret-key"
    if not kept.exists():
        ROLLBOOK_DATA_DIR.mkdir(parents=True, exist_ok=True)
        try:
            with kept.open("x", encoding="ascii") as file:
                kept.chmod(0o600)
                file.write(secrets.token_hex(32))
        except FileExistsError:
            pass  # another process of this start was first
    return kept.read_text(encoding="ascii")


def _database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme in ("sqlite", "sqlite3", ""):
        path = unquote(parts.path)
        path = path[1:] if path.startswith("//") or path == "/:memory:" else path
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": path or ":memory:",
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 30,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32000; "
                "PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY;",
            },
            # A file: the threads of a test's server would share one in memory, where a lock is an error at once
            # instead of a wait.
            "TEST": {"NAME": str(ROLLBOOK_DATA_DIR / "test.sqlite3")},
        }
    if parts.scheme in ("postgres", "postgresql"):
        options: dict[str, Any] = {k: v[-1] for k, v in parse_qs(parts.query).items()}
        # The web process works as a role that owns nothing and bypasses nothing (policy/walls.py).
        # Compiling a guarded query to machine code takes seconds, running it milliseconds: so no JIT.
        role = f"-c role={ROLLBOOK_WEB_ROLE}" if ROLLBOOK_WEB_ROLE else ""
        options["options"] = " ".join(filter(None, ["-c jit=off", options.get("options", ""), role]))
        options["server_side_binding"] = True
        # A statement run a second time is prepared: planning both walls costs more than running them. A pooler in
        # transaction mode needs ?prepare_threshold=none in the URL.
        often = options.get("prepare_threshold", "1")
        options["prepare_threshold"] = None if often == "none" else int(often)
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path[1:]) or "rollbook",
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {k: v for k, v in options.items() if v not in ("", None)},
        }
    raise ValueError(
        f"ROLLBOOK_DATABASE_URL must begin with sqlite:// or postgresql://, not {parts.scheme}://"
    )


SECRET_KEY = _secret_key()
DEBUG = env.bool("ROLLBOOK_DEBUG", False)
ROLLBOOK_BASE_URL = env.str("ROLLBOOK_BASE_URL", "").rstrip("/")
ROLLBOOK_POLICY = env.str("ROLLBOOK_POLICY", "default")
ROLLBOOK_REGION = env.str(
    "ROLLBOOK_REGION", ""
)  # country where this deployment keeps data; "" = nobody has said
# How many proxies stand in front, or their addresses; "" = none, and X-Forwarded-For and -Proto are not read.
ROLLBOOK_TRUSTED_PROXIES = trusted_proxies(env.str("ROLLBOOK_TRUSTED_PROXIES", ""))
# `rollbook serve` sets this for its workers; migrations, the command line and the worker stay the owner.
ROLLBOOK_WEB_ROLE = env.str("ROLLBOOK_WEB_ROLE", "")
# A file of SHA-1 hashes in order, of passwords that were in a breach; "" looks nowhere.
ROLLBOOK_BREACHED_PASSWORDS = env.str("ROLLBOOK_BREACHED_PASSWORDS", "")
# smtp://user:password@host:port, or smtps:// for TLS from the first byte; "" sends no mail.
_mail = urlsplit(env.str("ROLLBOOK_MAIL_URL", ""))
EMAIL_HOST, EMAIL_PORT = _mail.hostname or "", _mail.port or (465 if _mail.scheme == "smtps" else 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
EMAIL_USE_SSL, EMAIL_TIMEOUT = _mail.scheme == "smtps", 20
EMAIL_USE_TLS = _mail.scheme == "smtp+tls"
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'dummy'}.EmailBackend"
DEFAULT_FROM_EMAIL = env.str("ROLLBOOK_MAIL_FROM", "")
# An HTTP gateway that takes {"to": ..., "text": ...} as JSON; "" sends no SMS.
ROLLBOOK_SMS_URL = env.str("ROLLBOOK_SMS_URL", "")
# Whether app developers may sign up for a sandbox of invented people.
ROLLBOOK_DEVELOPERS = env.bool("ROLLBOOK_DEVELOPERS", False)
ROLLBOOK_STRICT = env.bool("ROLLBOOK_STRICT", False)  # tests: an exemption that is not needed fails
ROLLBOOK_DURABLE_LOG = env.bool("ROLLBOOK_DURABLE_LOG", True)  # tests wrap everything in a transaction
# Only for tests and for trying out: messages to webhooks may go to this machine, and over http there.
ROLLBOOK_WEBHOOK_LOOPBACK = env.bool("ROLLBOOK_WEBHOOK_LOOPBACK", False)
ROLLBOOK_API_RATE = env.int("ROLLBOOK_API_RATE", 6000)  # requests a minute, for each app

DATABASES = {
    "default": _database(
        env.str("ROLLBOOK_DATABASE_URL", f"sqlite:///{ROLLBOOK_DATA_DIR / 'rollbook.sqlite3'}")
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "rollbook.kernel",
    "rollbook.policy",
    "rollbook.roster",
    "rollbook.identity",
    "rollbook.learning",
    "rollbook.sharing",
    "rollbook.entrypoints",
    "django_htmx",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "rollbook.entrypoints.middleware.Boundary",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "rollbook.identity.pages.SignedIn",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "rollbook.entrypoints.urls"
WSGI_APPLICATION = "rollbook.entrypoints.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "rollbook.identity.pages.page_context",
            ],
        },
    }
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
SESSION_ENGINE = "rollbook.identity.actions"
SESSION_COOKIE_NAME = "rollbook"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_AGE = None  # goes with the browser, as the session does
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ROLLBOOK_BASE_URL.startswith("https://")
# Set by the middleware Boundary alone: what a client writes there is taken away first.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
ALLOWED_HOSTS = env.list("ROLLBOOK_ALLOWED_HOSTS", ["*"])
CSRF_TRUSTED_ORIGINS = [ROLLBOOK_BASE_URL] if ROLLBOOK_BASE_URL else []

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
# `rollbook serve` gathers the static files under hashed names, compressed, and says so; elsewhere the source folder serves.
_collected = env.bool("ROLLBOOK_COLLECTED", False)
STATIC_ROOT = ROLLBOOK_DATA_DIR / "static" if _collected else Path(__file__).parent / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _collected
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": env.str("ROLLBOOK_LOG", "WARNING")},
}
