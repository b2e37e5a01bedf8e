"""Behind a proxy: a header that anybody can write makes no line safe, and a setting that is wrong is said in a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.test import Client

from rollbook.kernel.proxies import trusted_proxies


@pytest.mark.django_db
@pytest.mark.parametrize(("trusted", "issuer"), [("", "http://"), ("1", "https://")])
def test_x_forwarded_proto_is_believed_of_a_trusted_proxy_alone(
    settings: Any, trusted: str, issuer: str
) -> None:
    settings.ROLLBOOK_TRUSTED_PROXIES = trusted_proxies(trusted)
    headers = {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.9"}
    found = Client().get("/.well-known/openid-configuration", headers=headers)
    assert found.json()["issuer"].startswith(issuer)


@pytest.mark.parametrize(
    ("name", "value"), [("ROLLBOOK_TRUSTED_PROXIES", "many"), ("ROLLBOOK_DATABASE_URL", "mysql://x")]
)
def test_a_wrong_setting_is_a_sentence(name: str, value: str, tmp_path: Any) -> None:
    env = {**os.environ, "ROLLBOOK_DATA_DIR": str(tmp_path), name: value}
    env.pop("DJANGO_SETTINGS_MODULE", None)
    asked = [sys.executable, "-m", "rollbook", "tenant", "list"]
    done = subprocess.run(asked, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith(f"A setting cannot be used: {name} must be")
