"""The daily look at what apps must delete, and the mail to those who are late. The mail names nobody."""

from __future__ import annotations

from rollbook.kernel.http import site
from rollbook.kernel.jobs import job
from rollbook.kernel.mail import can_mail, mail
from rollbook.sharing.actions.duties import DUTIES, find_duties, look_tomorrow, note_chase, overdue


@job(DUTIES)
def duties(tenant_id: int) -> None:
    """Write the missing duties, remind who is late, and look again tomorrow."""
    look_tomorrow(tenant_id)
    find_duties(tenant_id)
    chase(tenant_id)


def chase(tenant: int) -> None:
    """Remind each app that is late, once a week. Cut off between the mail and its note, the mail goes twice."""
    for app, late, contact in overdue(tenant):
        mailed = can_mail() and "@" in contact
        if mailed:
            days = ", ".join(sorted({f"{duty.due_on:%d %B %Y}" for duty in late}))
            people = sum(duty.count for duty in late)
            text = (
                f"{app.name} was to delete data about {people} {'person' if people == 1 else 'people'} by {days}.\n"
                "Nobody has confirmed that yet.\n\n"
                f"Whom it is about: GET {site()}/sharing/v1/duties, with the app’s client id and secret.\n"
                "When they are deleted, confirm each duty there.\n"
            )
            mail(contact, f"{app.name}: a deletion is overdue", text)
        note_chase(app, late, mailed)
