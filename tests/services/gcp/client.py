"""The stand-in of Google Cloud, driven by Google's own client, which knows nothing of rolecall.

Usage: client.py URL LOGINS

LOGINS is a folder with the file of a service account's key, key.json; the files of the other logins are written beside
it. Every answer is held to Google's description of the API: it has the method and the path, and the body fits its
schema. Prints a line for each thing that holds; ends with 1 at the first that does not.
"""

import json
import pathlib
import re
import sys

import google.auth.exceptions
import google.auth.transport.requests
import googleapiclient
import requests
from google.api_core import exceptions
from google.auth import compute_engine, identity_pool
from google.cloud import secretmanager_v1 as api
from google.cloud.secretmanager_v1.services.secret_manager_service.transports.rest import (
    SecretManagerServiceRestTransport,
)
from google.oauth2 import service_account
from jsonschema import Draft202012Validator

URL, LOGINS = sys.argv[1], pathlib.Path(sys.argv[2])
HOST = URL.removeprefix("http://")
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SUBJECT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjaSJ9.signature-of-another"
AUDIENCE = (
    "//iam.googleapis.com/projects/415104041262/locations/global/workloadIdentityPools/ci/providers/gitlab"
)
ACCOUNT = "rolecall@acme-prod.iam.gserviceaccount.com"
DOCUMENTS = pathlib.Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
held = set()


def fail(text):
    print(f"FAILED {text}")
    sys.exit(1)


def check(what, found, expected):
    if found != expected:
        fail(f"{what}: {found!r} instead of {expected!r}")
    print(f"OK {what}")


def refused(what, run, status, words):
    try:
        run()
    except exceptions.GoogleAPICallError as error:
        if error.code != status or words not in str(error):
            fail(f"{what}: {error!s} is not {status}, or says nothing of {words!r}")
        return print(f"OK {what} is refused")
    return fail(f"{what}: it was not refused")


class Description:
    """One of Google's discovery documents."""

    def __init__(self, name):
        self.document = json.loads((DOCUMENTS / f"{name}.json").read_text())
        self.definitions = {name: self.schema(one) for name, one in self.document["schemas"].items()}

    def schema(self, one):
        """As JSON Schema: a message has no other members than those that are named."""
        if "$ref" in one:
            return {"$ref": f"#/$defs/{one['$ref']}"}
        kind = one.get("type")
        if kind == "object":
            made = {"type": "object"}
            if "properties" in one:
                made["properties"] = {name: self.schema(of) for name, of in one["properties"].items()}
                made["additionalProperties"] = False
            if "additionalProperties" in one:
                made["additionalProperties"] = self.schema(one["additionalProperties"])
            return made
        if kind == "array":
            return {"type": "array", "items": self.schema(one["items"])}
        made = {} if kind == "any" else {"type": kind}
        if "enum" in one:
            made["enum"] = one["enum"]
        patterns = {
            "int64": r"^-?[0-9]+$",
            "byte": r"^[A-Za-z0-9+/_-]*=*$",
            "google-datetime": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$",
        }
        if one.get("format") in patterns:
            made["pattern"] = patterns[one["format"]]
        return made

    def methods(self, of=None):
        of = of or self.document
        for resource in of.get("resources", {}).values():
            yield from resource.get("methods", {}).values()
            yield from self.methods(resource)

    def hold(self, method, path, body):
        for one in self.methods():
            if one["httpMethod"] != method:
                continue
            # One pattern for each variable of the path.
            parameters = one.get("parameters", {})

            def variable(match):
                return parameters[match[1]].get("pattern", "^[^/]+$").strip("^$")

            pattern = re.sub(r"\{\+?(\w+)\}", variable, one["path"])
            if re.fullmatch(pattern, path.lstrip("/")):
                schema = {"$defs": self.definitions, "$ref": f"#/$defs/{one['response']['$ref']}"}
                Draft202012Validator(schema).validate(body)
                held.add(one["id"])
                return
        fail(f"Google describes no {method} {path}")


SECRETS, STS, IAM = (Description(name) for name in ("secretmanager.v1", "sts.v1", "iamcredentials.v1"))


def watch(session):
    """Holds each good answer of a session to the descriptions."""

    def see(response, *_args, **_more):
        path = requests.utils.urlparse(response.url).path
        if response.status_code != 200 or path == "/token" or path.startswith("/computeMetadata/"):
            return
        method, body = response.request.method, response.json()
        if path == "/v1/token":
            # The answer is that of RFC 8693, whose names Google's description has too.
            STS.hold(method, path, body)
        elif path.endswith(":generateAccessToken"):
            IAM.hold(method, path, body)
        else:
            SECRETS.hold(method, path, body)

    session.hooks["response"].append(see)
    return session


def client(credentials):
    transport = SecretManagerServiceRestTransport(host=HOST, credentials=credentials, url_scheme="http")
    watch(transport._session)
    return api.SecretManagerServiceClient(transport=transport)


def asking():
    return google.auth.transport.requests.Request(watch(requests.Session()))


def written(name, value):
    file = LOGINS / name
    file.touch(mode=0o600)
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(file)


# Who logs in.
key = service_account.Credentials.from_service_account_file(str(LOGINS / "key.json"), scopes=[SCOPE])
key.refresh(asking())
print("OK a service account logs in by its key")
token = written("token", SUBJECT)
federation = {
    "universe_domain": "googleapis.com",
    "type": "external_account",
    "audience": AUDIENCE,
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": URL + "/v1/token",
    "credential_source": {"file": token, "format": {"type": "text"}},
}
to = f"{URL}/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
logins = {
    "federated": federation,
    "impersonated": federation | {"service_account_impersonation_url": to},
}
credentials = {"key": key}
for name, login in logins.items():
    # Not by google.auth.default, which asks Google for the project.
    written(f"{name}.json", login)
    found = identity_pool.Credentials.from_info(login, scopes=[SCOPE])
    found.refresh(asking())
    credentials[name] = found
    print(f"OK somebody else logs in by a token ({name})")
machine = compute_engine.Credentials()
machine.refresh(asking())
credentials["machine"] = machine
print("OK a machine logs in as itself")
other = federation | {"audience": AUDIENCE + "-of-others"}
found = identity_pool.Credentials.from_info(other, scopes=[SCOPE])
try:
    found.refresh(asking())
    fail("the token of a stranger was taken")
except google.auth.exceptions.OAuthError as error:
    check("the token of a stranger is refused", "audience" in str(error), True)
for name, login in credentials.items():
    empty = client(login)
    refused(f"no secret, by {name}", lambda: empty.get_secret(name="projects/acme-prod/secrets/none"),
            404, "not found")
# The client would log in anew.
found = requests.get(f"{URL}/v1/projects/acme-prod/secrets/none", headers={"Authorization": "Bearer ya29.nobody"}, timeout=10)
check("a token of nobody is refused", (found.status_code, found.json()["error"]["status"]), (401, "UNAUTHENTICATED"))

manager = client(key)
refused("another project", lambda: manager.get_secret(name="projects/others/secrets/none"),
        403, "or it may not exist")
automatic = {"replication": {"automatic": {}}}
for parent, right, wrong in (
    ("projects/acme-prod", automatic, {}),
    ("projects/acme-prod/locations/europe-west3", {}, automatic),
):

    def make(name, of):
        return manager.create_secret(parent=parent, secret_id=name, secret=of)

    kind = "regional" if "locations" in parent else "global"
    refused(f"a {kind} secret with what is another's", lambda: make("x", wrong), 400, "eplication")
    refused("a name with a dot", lambda: make("a.b", right), 400, "format")
    made = make("client", right | {"labels": {"team": "security"}})
    check("a secret is called by its project's number", made.name.startswith("projects/415104041262/"), True)
    refused("a secret that is there", lambda: make("client", right), 409, "already exists")
    name = f"{parent}/secrets/client"
    latest = f"{name}/versions/latest"
    access = lambda of: manager.access_secret_version(name=of)
    refused("a secret without versions", lambda: access(latest), 404, "has no versions")
    for n, value in enumerate((b"one", b"two", b"\x00\xff three"), start=1):
        added = manager.add_secret_version(parent=name, payload={"data": value})
        check(f"version {n}", (added.name.rsplit("/", 1)[1], added.state.name), (str(n), "ENABLED"))
        check("a version that came without a checksum", added.client_specified_payload_checksum, False)
        found = access(latest)
        check("the newest version is read", (found.payload.data, found.name), (value, added.name))
    # By the checksum of the client's own: google-crc32c is not needed for a published value (RFC 3720).
    zeros = {"data": bytes(32), "data_crc32c": 0x8A9136AA}
    added = manager.add_secret_version(parent=name, payload=zeros)
    check("a version with its checksum", added.client_specified_payload_checksum, True)
    check("the checksum is kept", access(latest).payload.data_crc32c, 0x8A9136AA)
    damaged = zeros | {"data_crc32c": 1}
    refused("a version that was damaged on the way",
            lambda: manager.add_secret_version(parent=name, payload=damaged), 400, "checksum")
    manager.add_secret_version(parent=name, payload={"data": bytes(65_536)})
    refused("one byte too many", lambda: manager.add_secret_version(parent=name, payload={"data": bytes(65_537)}),
            400, "65536")
    refused("a version that is not there", lambda: access(f"{name}/versions/9"), 404, "not found")
    manager.disable_secret_version(name=f"{name}/versions/5")
    refused("the newest version, disabled", lambda: access(latest), 400, "DISABLED state")
    check("is still the newest", manager.get_secret_version(name=latest).state.name, "DISABLED")
    manager.enable_secret_version(name=f"{name}/versions/5")
    check("until it is enabled", len(access(latest).payload.data), 65_536)
    manager.destroy_secret_version(name=f"{name}/versions/5")
    refused("the newest version, destroyed", lambda: access(latest), 400, "DESTROYED state")
    refused("what was destroyed, enabled", lambda: manager.enable_secret_version(name=f"{name}/versions/5"),
            400, "DESTROYED")
    check("the one before it is not read in its place", access(f"{name}/versions/4").payload.data, bytes(32))
    listed = manager.list_secret_versions(request={"parent": name, "filter": "state:ENABLED"})
    check("those that can be read, the newest first", [one.name[-1] for one in listed], ["4", "3", "2", "1"])
    found = manager.get_secret(name=name)
    check("what is said of the secret stays", dict(found.labels), {"team": "security"})
    # Where rolecall delivers to: it makes none.
    for login in (*credentials, "kept"):
        make(f"rolecall-{login}", right)
print(f"OK {len(held)} methods answer as Google describes them: {', '.join(sorted(held))}")
