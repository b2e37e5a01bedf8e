"""Mail, one address at a time. What it may say is for its sender to answer."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import send_mail

NONE = "django.core.mail.backends.dummy.EmailBackend"


def can_mail() -> bool:
    """Whether this site has been told by which server to send."""
    return bool(settings.EMAIL_BACKEND != NONE)


def mail(to: str, subject: str, text: str) -> None:
    """Send a text, or raise what the server said: jobs call this, and are tried again."""
    send_mail(subject, text, settings.DEFAULT_FROM_EMAIL or None, [to])
