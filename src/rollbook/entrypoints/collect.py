"""`python -m rollbook.entrypoints.collect`: gather the static files under hashed names, compressed, for `serve`."""

import os

import django
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rollbook.entrypoints.settings")
django.setup()
call_command("collectstatic", interactive=False, verbosity=0)
