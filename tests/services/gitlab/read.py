"""Reads with python-gitlab what rolecall wrote.

Usage: read.py URL FOLDER

Writes each value into FOLDER as NAME.key. What is hidden is shown to nobody: it is taken from what a job would get.
"""

import base64
import json
import pathlib
import sys

import gitlab
import requests

URL, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
TOKEN = "glpat-of-the_stand-in.01.abcdefghij"


def fail(text):
    print(f"FAILED {text}")
    sys.exit(1)


client = gitlab.Gitlab(URL, private_token=TOKEN)
places = {
    "ROLECALL_PROJECT": (client.projects.get("acme/app"), "production", "env_var", True, True),
    "ROLECALL_GROUP": (client.groups.get("acme/team"), "*", "env_var", True, True),
    "ROLECALL_FILE": (client.projects.get("acme/team/web"), "*", "file", False, False),
    "ROLECALL_HIDDEN": (client.projects.get("acme/team/web"), "*", "env_var", True, True),
}
of_jobs = {one["name"]: one["value"] for one in requests.get(URL + "/stand-in", timeout=10).json()}
keys = set()
for name, (owner, scope, kind, masked, protected) in places.items():
    found = owner.variables.get(name, filter={"environment_scope": scope})
    kept = (found.variable_type, found.masked, found.protected, found.raw)
    if kept != (kind, masked, protected, True):
        fail(f"{name} is kept as {kept}")
    value = found.value
    if found.hidden != (name == "ROLECALL_HIDDEN") or (value is None) != found.hidden:
        fail(f"{name} is hidden, or not, or shown")
    value = value or of_jobs[name]
    if masked and not (value.isascii() and "\n" not in value and " " not in value):
        fail(f"{name} is not one line")
    credential = json.loads(base64.b64decode(value, validate=True) if masked else value)
    keys.add(credential["private_key"])
    file = FOLDER / (name + ".key")
    file.touch(mode=0o600)
    file.write_text(value)
if len(keys) != 1:
    fail(f"{len(keys)} keys were written")
print("OK python-gitlab reads what rolecall wrote: one credential, in the form of each place")
