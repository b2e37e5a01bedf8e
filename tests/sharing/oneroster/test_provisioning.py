"""From the school's export to the accounts in an app: exactly the people of the rule, and they follow each sync."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from rollbook.policy import Actor, Audit, unguarded
from rollbook.roster.models import Tenant
from rollbook.sharing import create_app
from rollbook.sharing.connectors.oneroster.operations import PREFIX
from tests.cast import Cast
from tests.roster.sync.school import School, make_tenant, puddlebrook, sync
from tests.sharing.oneroster.conftest import Erin
from tests.staff import desk, plain

HANA = Actor("staff", "administrator", 7, "Hana Larkspur")
PEOPLE = {"classes": ["KES"]}
FIELDS = [{"field": f"users.{f}", "reason": "to greet"} for f in ("givenName", "familyName")]


class Vendor:
    """An app's own store of accounts, filled from what the school's API sends. `heard` is every byte of it."""

    def __init__(self, erin: Erin) -> None:
        self.erin, self.accounts, self.heard = erin, {}, ""  # type: ignore[var-annotated]  # filled by what the client reads

    def provision(self) -> None:
        """Make, change and close accounts as the list of users says."""
        rows = self.erin.read("/users")
        self.heard += json.dumps(rows)
        for row in rows:
            if row["status"] == "tobedeleted":
                self.accounts.pop(row["sourcedId"], None)
            else:
                self.accounts[row["sourcedId"]] = row["givenName"]

    @property
    def names(self) -> list[str]:
        return sorted(self.accounts.values())


@pytest.fixture
def school() -> School:
    return puddlebrook()


@pytest.fixture
def tenant(cast: Cast, school: School, tmp_path: Path) -> Tenant:
    made = make_tenant("fresh")
    assert sync(made, school, tmp_path, by=HANA).state == "applied"
    return made


@pytest.fixture
def vendor(cast: Cast, tenant: Tenant, doors: None) -> Vendor:
    cast.tenant = tenant
    erin = Erin(cast, create_app(tenant, "Erin's Sums"))
    erin.agree()
    erin.share({"people": PEOPLE, "fields": FIELDS})
    return Vendor(erin)


@pytest.mark.commitment("CLEV-0.3", "CLEV-5.9")
def test_after_a_sync_the_app_has_accounts_for_the_authorised_people_and_for_nobody_else(
    vendor: Vendor, tenant: Tenant, school: School, tmp_path: Path
) -> None:
    vendor.provision()
    assert vendor.names == ["Ada", "Ben"]
    ben = next(key for key, name in vendor.accounts.items() if name == "Ben")

    school.users["ben"]["givenName"] = "Benjamin"
    school.person("mira", "student", givenName="Mira")
    school.enroll("mira", "KES")
    school.enrollments.pop("e-ada-KES")
    school.enroll("ada", "OWL")
    assert sync(tenant, school, tmp_path, yes=True).state == "applied"
    vendor.provision()
    assert vendor.names == ["Benjamin", "Mira"]
    assert vendor.accounts[ben] == "Benjamin", "the same account, not a second one"
    for secret in ("Ivo", "Dov", "Cl\\u00e9o", "Marsh", "07700", "2019-03-04", "ben@puddlebrook.example"):
        assert secret not in vendor.heard


@pytest.mark.commitment("CLEV-0.3")
def test_accounts_are_provisioned_only_to_who_shows_the_apps_secret(vendor: Vendor) -> None:
    body = {
        "grant_type": "client_credentials",
        "client_id": vendor.erin.made.client_id,
        "client_secret": "guess",
    }
    assert Client().post("/oauth/token", body).status_code == 401
    assert Client().get(f"{PREFIX}/users").status_code == 401
    assert Client().get(f"{PREFIX}/users", headers={"authorization": "Bearer guess"}).status_code == 401


@pytest.mark.commitment("CLEV-4.7")
def test_what_the_school_corrects_and_deletes_at_its_source_takes_effect_and_is_audited(
    vendor: Vendor, tenant: Tenant, school: School, tmp_path: Path, settings: Any
) -> None:
    from rollbook.entrypoints import settings as site

    vendor.provision()
    school.users["ada"]["givenName"] = "Adah"
    first = sync(tenant, school, tmp_path, by=HANA, yes=True)
    vendor.provision()
    assert vendor.names == ["Adah", "Ben"]
    school.without("ada")
    second = sync(tenant, school, tmp_path, by=HANA, yes=True)
    assert (first.state, second.state) == ("applied", "applied")
    vendor.provision()
    assert vendor.names == ["Ben"]
    with unguarded("a test reads the audit", tenant=tenant.id):
        said = list(Audit.objects.filter(tenant_id=tenant.id, verb="sync.applied").order_by("id"))
    assert [a.actor for a in said] == ["Hana Larkspur"] * 3
    assert said[1].details["counts"]["person"]["changed"] == 1
    assert said[2].details["counts"]["person"]["removed"] == 1
    settings.ROOT_URLCONF, settings.MIDDLEWARE = site.ROOT_URLCONF, site.MIDDLEWARE
    administrator = desk(tenant, "administrator")
    assert "Adah" not in plain(administrator.get("/people"))
    assert "Adah" in plain(administrator.get("/people?left=1")), "who left can still be reviewed"
