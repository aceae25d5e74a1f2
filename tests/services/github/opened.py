"""Opens what rolecall wrote with libsodium, past the stand-in and its library.

Usage: opened.py URL FOLDER

Writes each value into FOLDER as NAME.b64.
"""

import base64
import json
import pathlib
import sys

import requests
from nacl.public import PrivateKey, SealedBox

url, folder = sys.argv[1], pathlib.Path(sys.argv[2])
held = requests.get(url + "/stand-in", timeout=10).json()
box = SealedBox(PrivateKey(base64.b64decode(held["private_key"])))
opened = 0
for secret in held["secrets"]:
    if not secret["name"].startswith("ROLECALL_"):
        continue
    value = box.decrypt(base64.b64decode(secret["encrypted"]))
    if b"\n" in value or "private_key" not in json.loads(base64.b64decode(value, validate=True)):
        sys.exit(f"FAILED {secret['name']} is no credential in one line of base64")
    file = folder / (secret["name"] + ".b64")
    file.touch(mode=0o600)
    file.write_bytes(value)
    opened += 1
if opened != 1:
    sys.exit(f"FAILED {opened} secrets were written")
print("OK libsodium opens what rolecall wrote, and it is a credential in one line")
