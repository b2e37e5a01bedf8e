"""Sign-in and accounts: staff, badges and picture codes, what the school lets its people do; who asks."""

from django.urls import path

from rollbook.identity.pages import idp
from rollbook.identity.pages.badge import badge, finish, picture, you
from rollbook.identity.pages.developers import developer_link, developer_sign_up
from rollbook.identity.pages.family import family_link, family_sign_in
from rollbook.identity.pages.giving import (
    badge_labels,
    class_badges,
    person_sign_in,
    print_badges,
    troubleshoot,
)
from rollbook.identity.pages.provider import provider
from rollbook.identity.pages.rules import sign_in_rules
from rollbook.identity.pages.staff import (
    me,
    reset,
    second_step,
    sign_in,
    sign_in_passkey,
    sign_out,
    staff,
    tenant,
)
from rollbook.identity.pages.who import SignedIn as SignedIn
from rollbook.identity.pages.who import page_context as page_context

urlpatterns = [
    path("sign-in", sign_in, name="sign_in"),
    path("sign-in/passkey", sign_in_passkey, name="sign_in_passkey"),
    path("second-step", second_step, name="second_step"),
    path("sign-in/with/<slug:slug>", idp.go, name="idp_go"),
    path("sign-in/with/<slug:slug>/back", idp.back, name="idp_back"),
    path("sign-in/with/<slug:slug>/metadata", idp.metadata, name="idp_metadata"),
    path("sign-out", sign_out, name="sign_out"),
    path("reset/<str:token>", reset, name="reset"),
    path("tenant", tenant, name="tenant"),
    path("me", me, name="me"),
    path("staff", staff, name="staff"),
    path("badge", badge, name="badge"),
    path("badge/you", you, name="badge_you"),
    path("picture", picture, name="picture"),
    path("finish", finish, name="finish"),
    path("family/at/<slug:slug>", family_sign_in, name="family_sign_in"),
    path("family/link/<str:token>", family_link, name="family_link"),
    path("developers/sign-up", developer_sign_up, name="developer_sign_up"),
    path("developers/link/<str:token>", developer_link, name="developer_link"),
    path("sign-in-rules", sign_in_rules, name="sign_in_rules"),
    path("sign-in-rules/provider", provider, name="sign_in_provider"),
    path("classes/<str:klass>/badges", class_badges, name="class_badges"),
    path("classes/<str:klass>/badges/labels", badge_labels, name="badge_labels"),
    path("classes/<str:klass>/badges/print", print_badges, name="print_badges"),
    path("people/<str:person>/sign-in", person_sign_in, name="person_sign_in"),
    path("people/<str:person>/troubleshoot", troubleshoot, name="troubleshoot"),
]
