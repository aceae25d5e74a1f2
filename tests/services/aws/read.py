"""Reads with boto3 what rolecall wrote, as a consumer does.

Usage: read.py URL FOLDER born|rotated

Writes each value into FOLDER as NAME.key.
"""

import base64
import json
import pathlib
import sys

import boto3

URL, FOLDER, ROTATED = sys.argv[1], pathlib.Path(sys.argv[2]), {"born": 0, "rotated": 1}[sys.argv[3]]


def fail(text):
    print(f"FAILED {text}")
    sys.exit(1)


def client(service):
    return boto3.client(
        service, endpoint_url=URL, region_name="eu-central-1", aws_access_key_id="AKIDEXAMPLEOFSTANDIN",
        aws_secret_access_key="of/the+stand-in")


secrets, parameters = client("secretsmanager"), client("ssm")
keys = set()


def keep(name, text, is_base64):
    credential = json.loads(base64.b64decode(text, validate=True) if is_base64 else text)
    keys.add(credential["private_key"])
    file = FOLDER / (name.strip("/").replace("/", "-") + ".key")
    file.touch(mode=0o600)
    file.write_text(text)


for name in ("mondoo/json", "mondoo/base64", "mondoo/was"):
    # AWS takes this where no label is named; moto then gives what was put under it, wherever the label went since.
    found = secrets.get_secret_value(SecretId=name, VersionStage="AWSCURRENT")
    if not found["VersionId"].startswith("rolecall-") or found["VersionStages"] != ["AWSCURRENT"]:
        fail(f"{name} is kept as {found['VersionId']} under {found['VersionStages']}")
    labels = [one for many in secrets.describe_secret(SecretId=name)["VersionIdsToStages"].values() for one in many]
    if sorted(labels) != ["AWSCURRENT", "AWSPREVIOUS"]:
        fail(f"{name} has the labels {labels}")
    previous = secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["SecretString"]
    if (previous != "{}") != ROTATED or previous == found["SecretString"]:
        fail(f"{name} held a key before, or none")
    keep("secret-" + name, found["SecretString"], name.endswith("base64"))

for name in ("/mondoo/json", "/mondoo/base64", "/mondoo/was"):
    found = parameters.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    if found["Type"] != "SecureString" or found["Version"] != (2 if name.endswith("was") else 1) + ROTATED:
        fail(f"{name} is a {found['Type']} of version {found['Version']}")
    if parameters.get_parameter(Name=name)["Parameter"]["Value"] == found["Value"]:
        fail(f"{name} is not encrypted")
    keep("parameter-" + name, found["Value"], name.endswith("base64"))
last = parameters.get_parameter_history(Name="/mondoo/was")["Parameters"][-1]
kept = [last.get(name) for name in ("Tier", "KeyId", "Description", "AllowedPattern")]
if kept != ["Advanced", "alias/ours", "of ci", ".*"]:
    fail(f"of /mondoo/was is kept {kept}")
if len(keys) != 1:
    fail(f"{len(keys)} keys were written")
print("OK boto3 reads what rolecall wrote: one credential, in each form, and nothing beside it changed")
