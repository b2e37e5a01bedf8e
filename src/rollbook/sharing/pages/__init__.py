"""The pages about apps: the list, what each one sees, the agreement it stands on, the rule, one pupil at a time."""

from django.urls import path

from rollbook.sharing.pages.deciding import agreement, maker, new, request_answer, secret, stop_sharing
from rollbook.sharing.pages.developers import developers, first_request, new_app, sandbox, school, schools
from rollbook.sharing.pages.directories import directories_list, directory_page, directory_plan, new_directory
from rollbook.sharing.pages.library import add, away, library, stop_one
from rollbook.sharing.pages.portal import books, family, mine, seen
from rollbook.sharing.pages.reference import reference, reference_api, reference_json
from rollbook.sharing.pages.ruling import history, rule, rule_preview
from rollbook.sharing.pages.seeing import app_page, apps_list, try_it
from rollbook.sharing.pages.signing import sign_on
from rollbook.sharing.pages.telling import events

urlpatterns = [
    path("books", books, name="books"),
    path("books/seen", seen, name="books_seen"),
    path("family", family, name="family"),
    path("my-apps", mine, name="my_apps"),
    path("my-apps/library/<slug:slug>", add, name="library_add"),
    path("my-apps/library/<slug:slug>/away", away, name="library_away"),
    path("library", library, name="library"),
    path("developers", developers, name="developers"),
    path("developers/apps/new", new_app, name="developer_app_new"),
    path("developers/apps/<slug:slug>", first_request, name="developer_app"),
    path("developers/apps/<slug:slug>/schools", schools, name="developer_schools"),
    path("developers/apps/<slug:slug>/schools/<str:number>", school, name="developer_school"),
    path("developers/reference", reference, name="reference"),
    path("developers/reference/<str:api>.json", reference_json, name="reference_json"),
    path("developers/reference/<str:api>", reference_api, name="reference_api"),
    path("developers/sandbox", sandbox, name="developer_sandbox"),
    path("directories", directories_list, name="directories"),
    path("directories/new", new_directory, name="directory_new"),
    path("directories/<slug:slug>", directory_page, name="directory"),
    path("directories/<slug:slug>/plans/<str:number>", directory_plan, name="directory_plan"),
    path("apps", apps_list, name="apps"),
    path("apps/new", new, name="app_new"),
    path("apps/<slug:slug>", app_page, name="app"),
    path("apps/<slug:slug>/try", try_it, name="app_try"),
    path("apps/<slug:slug>/rule", rule, name="app_rule"),
    path("apps/<slug:slug>/rule/preview", rule_preview, name="app_rule_preview"),
    path("apps/<slug:slug>/history", history, name="app_history"),
    path("apps/<slug:slug>/agreement", agreement, name="app_agreement"),
    path("apps/<slug:slug>/secret", secret, name="app_secret"),
    path("apps/<slug:slug>/sign-on", sign_on, name="app_sign_on"),
    path("apps/<slug:slug>/events", events, name="app_events"),
    path("apps/<slug:slug>/library", stop_one, name="app_library"),
    path("apps/<slug:slug>/maker", maker, name="app_maker"),
    path("apps/<slug:slug>/stop", stop_sharing, name="app_stop"),
    path("apps/<slug:slug>/requests/<str:number>", request_answer, name="app_request"),
]
