"""Reads with Google's own client what rolecall wrote.

Usage: read.py URL FOLDER

Writes each value into FOLDER as NAME.key.
"""

import base64
import json
import pathlib
import sys

from google.api_core import exceptions
from google.auth import compute_engine
from google.cloud import secretmanager_v1 as api
from google.cloud.secretmanager_v1.services.secret_manager_service.transports.rest import (
    SecretManagerServiceRestTransport,
)

URL, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])


def fail(text):
    print(f"FAILED {text}")
    sys.exit(1)


transport = SecretManagerServiceRestTransport(
    host=URL.removeprefix("http://"), credentials=compute_engine.Credentials(), url_scheme="http"
)
client = api.SecretManagerServiceClient(transport=transport)
places = {
    "global": ("projects/acme-prod", False),
    "regional": ("projects/acme-prod/locations/europe-west3", True),
}
keys = set()
for kind, (parent, in_base64) in places.items():
    for login in ("key", "federated", "impersonated", "machine", "kept"):
        name = f"{parent}/secrets/rolecall-{login}"
        found = client.access_secret_version(name=f"{name}/versions/latest")
        value = found.payload.data
        gone = login not in ("machine", "kept")
        if gone and kind == "global":
            # Its account is deleted, and the sink removes its key.
            if value != b"{}":
                fail(f"{name} holds something")
            try:
                client.access_secret_version(name=f"{name}/versions/1")
            except exceptions.BadRequest:
                continue
            fail(f"the key of {name} can still be read by its number")
        if b"\n" in value.strip(b"\n") and in_base64 or value.endswith(b"\n"):
            fail(f"{name} is not one line, or ends with one")
        made = client.get_secret_version(name=found.name)
        if not made.client_specified_payload_checksum:
            fail(f"{name} was written without a checksum")
        credential = json.loads(base64.b64decode(value, validate=True) if in_base64 else value)
        keys.add(credential["private_key"])
        if not gone:
            file = FOLDER / f"{kind}-{login}.key"
            file.touch(mode=0o600)
            file.write_bytes(value)
if len(keys) != 5:
    fail(f"{len(keys)} keys were written")
print("OK Google's client reads what rolecall wrote, and not what it removed")
