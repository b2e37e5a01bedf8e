"""The roster's pages: people, classes, syncs."""

from django.urls import path

from rollbook.roster.pages import classes, handed, people, syncs

urlpatterns = [
    path("people", people.people, name="people"),
    path("people/new", people.enter, name="person_new"),
    path("people/<str:person>/edit", people.edit, name="person_edit"),
    path("people/<str:person>", people.person, name="person"),
    path("people/<str:person>/merge", people.merge, name="merge"),
    path("people/<str:person>/split", people.split, name="split"),
    path("people/<str:person>/undo", people.undo, name="undo_identity"),
    path("classes", classes.classes, name="classes"),
    path("classes/<str:klass>", classes.klass, name="klass"),
    path("disclosures", handed.register, name="disclosures"),
    path("disclosures/new", handed.enter, name="disclosure_new"),
    path("disclosures/<str:number>", handed.one_entry, name="disclosure"),
    path("sync", syncs.syncs, name="syncs"),
    path("sync/upload", syncs.upload, name="sync_upload"),
    path("sync/new", syncs.begun, name="sync_begun"),
    path("sync/settings", syncs.settings, name="sync_settings"),
    path("sync/<str:sync>", syncs.sync, name="sync"),
    path("sync/<str:sync>/progress", syncs.progress, name="sync_progress"),
    path("sync/<str:sync>/set-aside.csv", syncs.set_aside_csv, name="set_aside_csv"),
]
