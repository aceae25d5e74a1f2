"""Reads with azure-keyvault-secrets what rolecall wrote.

Usage: read.py URL FOLDER

Writes each value into FOLDER as NAME.key.
"""

import base64
import json
import pathlib
import sys

from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

from led import VAULT, transport

URL, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
TENANT = "5f0c2d1e-0000-4000-8000-00000000acbe"
CLIENT = "c11e0000-0000-4000-8000-0000000000c1"
SECRET = "of~the+stand-in/secret=1&x"


def fail(text):
    print(f"FAILED {text}")
    sys.exit(1)


login = ClientSecretCredential(TENANT, CLIENT, SECRET, transport=transport(URL), disable_instance_discovery=True)
client = SecretClient(VAULT, login, transport=transport(URL), api_version="7.4")
keys = set()
for name in ("mondoo-json", "mondoo-base64", "mondoo-was"):
    found = client.get_secret(name)
    value = found.value
    if name == "mondoo-base64":
        if "\n" in value or " " in value:
            fail(f"{name} is not one line")
        credential = json.loads(base64.b64decode(value, validate=True))
    else:
        credential = json.loads(value)
    keys.add(credential["private_key"])
    if name == "mondoo-was":
        kept = (found.properties.tags, found.properties.content_type)
        if kept != ({"team": "security"}, "application/json"):
            fail(f"{name} is kept as {kept}")
    file = FOLDER / (name + ".key")
    file.touch(mode=0o600)
    file.write_text(value)
if len(keys) != 1:
    fail(f"{len(keys)} keys were written")
print("OK azure-keyvault-secrets reads what rolecall wrote: one credential, in the form of each place")
