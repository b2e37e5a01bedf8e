"""Staff whom the school's directory names: a teacher of the roll signs in by the school's own sign-in, where the
administrator lets that directory say so; what it takes back ends at once."""

from __future__ import annotations

from django.db import transaction

from rollbook.identity.actions.accounts import add_membership, close_account, create_account, end_membership
from rollbook.identity.models import Account, DirectoryAccount, Membership, SchoolIdp
from rollbook.kernel import clock
from rollbook.kernel.errors import Invalid
from rollbook.policy import Actor, audit, unguarded
from rollbook.roster import Tenant, find_by_detail, standing


def set_directory(tenant: Tenant, source: int | None, by: Actor | None) -> None:
    """Let this directory say which teachers sign in by the school's own sign-in; None: no directory does.

    What another directory made before is closed. Raises Invalid where the school has no sign-in of its own.
    """
    with transaction.atomic(), unguarded("it is said which directory names staff", tenant=tenant.id):
        idp = SchoolIdp.objects.filter(tenant=tenant).first()
        if idp is None and source is not None:
            raise Invalid(
                "Your school has no sign-in of its own here.",
                "Say first which provider it signs in by.",
                "staff",
            )
        if idp is not None and idp.staff_from != source:
            SchoolIdp.objects.filter(tenant=tenant).update(staff_from=source)
            audit(tenant.id, by, "identity.directory_set", "app", source or 0, let_in=source is not None)
        made = DirectoryAccount.objects.filter(tenant=tenant).exclude(source_id=source or 0)
        for row in made.select_related("account"):
            _close(tenant.id, row.account, by)


def names_staff(tenant_id: int) -> int | None:
    """The directory whose word lets staff of this tenant in, if there is one."""
    with unguarded("it is asked whose word lets staff in", tenant=tenant_id):
        return SchoolIdp.objects.filter(tenant_id=tenant_id).values_list("staff_from", flat=True).first()


def directory_says(
    tenant: Tenant, source: int, entry: int, *, email: str, name: str, active: bool, by: Actor
) -> None:  # fmt: skip
    """A directory wrote (or deleted: active is False) one of its own accounts: make, close or open the staff account.

    Made only for an active entry whose email is that of one teacher on the roll, where nobody has an account with that
    email: an account that an administrator made is never a directory's to change. In the caller's transaction.
    """
    with transaction.atomic(), unguarded("a directory says who works here", tenant=tenant.id):
        mine = DirectoryAccount.objects.filter(tenant=tenant, source_id=source, entry_id=entry)
        row = mine.select_related("account").first()
        person = _teacher(tenant.id, email) if active and names_staff(tenant.id) == source else None
        same = row is not None and row.account.email == email.strip().lower()
        if row is not None and (person is None or not same):
            _close(tenant.id, row.account, by)
        if person is None:
            return
        if row is None or not same:
            if Account.objects.filter(email=email.strip().lower()).exists():
                return
            mine.delete()
            account = create_account(email, name or email)
            DirectoryAccount.objects.create(
                tenant=tenant, source_id=source, entry_id=entry, account=account, made_at=clock.now()
            )
        elif row.account.closed_at is None:
            return
        else:
            account = row.account
            Account.objects.filter(id=account.id).update(closed_at=None)
        add_membership(account, tenant, "teacher", by, "the school’s directory names them", person)


def _teacher(tenant_id: int, email: str) -> int | None:
    """The one teacher on the roll with this email."""
    person = find_by_detail(tenant_id, "email", email)
    found = standing(tenant_id, person) if person is not None else None
    return found.id if found is not None and found.here and "teacher" in found.roles else None


def _close(tenant_id: int, account: Account, by: Actor | None) -> None:
    """Close an account that a directory made; where it works elsewhere too, only its place in this tenant ends."""
    if account.closed_at is not None:
        return
    held = Membership.objects.filter(account=account, expires_at__gt=clock.now())
    if held.exclude(tenant_id=tenant_id).exists() or held.exclude(role="teacher").exists():
        for place in held.filter(tenant_id=tenant_id, role="teacher").select_related("tenant"):
            end_membership(place.tenant, place.id, by)
    else:
        close_account(account, by)
