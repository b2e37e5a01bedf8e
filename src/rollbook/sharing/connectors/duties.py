"""The daily look at what apps must delete, and the mail to those who are late. The mail names nobody."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import send_mail

from rollbook.kernel.jobs import job
from rollbook.sharing.actions.duties import DUTIES, find_duties, look_tomorrow, note_chase, overdue


@job(DUTIES)
def duties(tenant_id: int) -> None:
    """Write the missing duties, remind who is late, and look again tomorrow."""
    look_tomorrow(tenant_id)
    find_duties(tenant_id)
    chase(tenant_id)


def chase(tenant: int) -> None:
    """Remind each app that is late, once a week. Cut off between the mail and its note, the mail goes twice."""
    sends = bool(settings.EMAIL_HOST or settings.EMAIL_BACKEND.endswith("locmem.EmailBackend"))
    for app, late, contact in overdue(tenant):
        mailed = sends and "@" in contact
        if mailed:
            days = ", ".join(sorted({f"{duty.due_on:%d %B %Y}" for duty in late}))
            people = sum(duty.count for duty in late)
            text = (
                f"{app.name} was to delete data about {people} {'person' if people == 1 else 'people'} by {days}.\n"
                "Nobody has confirmed that yet.\n\n"
                f"Whom it is about: GET {settings.ROLLBOOK_BASE_URL}/sharing/v1/duties, with the app’s client id and secret.\n"
                "When they are deleted, confirm each duty there.\n"
            )
            send_mail(
                f"{app.name}: a deletion is overdue", text, settings.DEFAULT_FROM_EMAIL or None, [contact]
            )
        note_chase(app, late, mailed)
