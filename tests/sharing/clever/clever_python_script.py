# mypy: ignore-errors
# Runs under the old Python that clever-python 3.0.2 needs, so it is written in that Python's language.
import json
import os
import sys

import clever

said = json.loads(os.environ["SAID"])
settings = clever.Configuration()
settings.host, settings.access_token = said["host"], said["token"]
client = clever.ApiClient(settings)
answered, missing, wrong = [], [], []
for api in (clever.DataApi(client), clever.EventsApi(client)):
    for name in sorted(n for n in dir(api) if n.startswith("get_") and not n.endswith("_with_http_info")):
        subject = name.rpartition("_for_")[2] if "_for_" in name else name[4:]
        ids = [said["ids"][subject]] if subject in said["ids"] else []
        try:
            answer = getattr(api, name)(*ids)
        except clever.rest.ApiException as error:
            (missing if error.status == 404 else wrong).append([name, error.status])
            continue
        except Exception as error:  # the client could not read the answer
            wrong.append([name, repr(error)])
            continue
        data = answer.data if isinstance(answer.data, list) else [answer]
        # The client's kinds of event drop the id that they get, so that an id is taken from the answer as it came.
        if "event" not in name and not all(item.data.id for item in data):
            wrong.append([name, "an object without an id"])
        answered.append(name)
        if name == "get_events":
            raw = json.loads(api.get_events(_preload_content=False).data.decode())
            answered.append(
                "get_event" if api.get_event(raw["data"][0]["data"]["id"]).data.data.object.id else "none"
            )
met, more = [], {}
while True:
    page = clever.DataApi(client).get_students(limit=1, **more)
    if not page.data:
        break
    met += [item.data.id for item in page.data]
    more = {"starting_after": met[-1]}
sys.stdout.write(json.dumps({"answered": answered, "missing": missing, "wrong": wrong, "met": met}) + "\n")
