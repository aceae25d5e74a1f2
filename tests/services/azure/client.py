"""The stand-in of Azure, driven by azure-keyvault-secrets and azure-identity, which know nothing of rolecall.

Usage: client.py URL FOLDER

Prints a line for each thing that holds; ends with 1 at the first that does not.
"""

import datetime
import os
import pathlib
import sys

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential, WorkloadIdentityCredential
from azure.keyvault.secrets import SecretClient

from led import VAULT, transport

URL, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
TENANT = "5f0c2d1e-0000-4000-8000-00000000acbe"
CLIENT = "c11e0000-0000-4000-8000-0000000000c1"
SECRET = "of~the+stand-in/secret=1&x"
FEDERATED = "eyJhbGciOiJub25lIn0.of-the-stand-in.federated"
HEADER = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a"
SCOPE = "https://vault.azure.net/.default"


def fail(text):
    print(f"FAILED {text}")
    sys.exit(1)


def check(what, found, expected):
    if found != expected:
        fail(f"{what}: {found!r} instead of {expected!r}")
    print(f"OK {what}")


def refused(what, run, status, code):
    try:
        run()
    except HttpResponseError as error:
        inner = error.error.innererror or {} if error.error else {}
        codes = (error.error.code if error.error else None, inner.get("code"))
        check(f"{what} is refused", (error.status_code, code in codes), (status, True))
        return
    fail(f"{what}: it was not refused")


def credential(secret=SECRET, tenant=TENANT):
    return ClientSecretCredential(
        tenant, CLIENT, secret, transport=transport(URL), disable_instance_discovery=True, retry_total=0
    )


# Logins.
for what, login in (("the secret of nobody", credential(secret="x")), ("no directory of this id", credential(tenant="none"))):
    try:
        login.get_token(SCOPE)
        fail(f"{what}: it was not refused")
    except (ClientAuthenticationError, ValueError):
        print(f"OK {what} is refused")
file = FOLDER / "token"
file.touch(mode=0o600)
file.write_text(FEDERATED)
logins = {
    "a secret": credential(),
    "a token": WorkloadIdentityCredential(
        tenant_id=TENANT, client_id=CLIENT, token_file_path=str(file), transport=transport(URL),
        disable_instance_discovery=True,
    ),
}
for name, variables in (
    ("an app", {"IDENTITY_ENDPOINT": URL + "/msi/token", "IDENTITY_HEADER": HEADER}),
    ("a virtual machine", {"AZURE_POD_IDENTITY_AUTHORITY_HOST": URL}),
):
    os.environ.update(variables)
    for client_id in (None, CLIENT):
        found = ManagedIdentityCredential(client_id=client_id).get_token(SCOPE)
        check(f"the identity of {name}{' by its id' if client_id else ''} is given", bool(found.token), True)
    for variable in variables:
        del os.environ[variable]
for what, login in logins.items():
    client = SecretClient(VAULT, login, transport=transport(URL), api_version="7.4", retry_total=0)
    client.set_secret("login", what)
    check(f"a login by {what} is taken, with its challenge verified", client.get_secret("login").value, what)

# Secrets.
client = SecretClient(VAULT, logins["a secret"], transport=transport(URL), api_version="7.4", retry_total=0)
refused("a secret that is not there", lambda: client.get_secret("none"), 404, "SecretNotFound")
refused("a deleted secret that is not there", lambda: client.get_deleted_secret("none"), 404, "SecretNotFound")
refused("a name with a `_`", lambda: client.set_secret("a_b", "x"), 400, "BadParameter")
refused("a value that is too large", lambda: client.set_secret("large", "x" * 25601), 400, "BadParameter")
client.set_secret("large", "x" * 25600)
check("the largest value is kept", len(client.get_secret("large").value), 25600)
begins = datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc)
ends = datetime.datetime(2030, 1, 2, tzinfo=datetime.timezone.utc)
first = client.set_secret(
    "Case", "one", content_type="text/plain", tags={"team": "ü"}, not_before=begins, expires_on=ends
)
found = client.get_secret("cAsE")
check(
    "what stands beside a value is kept, and the case of a name does not count",
    (found.value, found.properties.content_type, found.properties.tags, found.properties.not_before,
     found.properties.expires_on, found.properties.enabled, found.properties.version),
    ("one", "text/plain", {"team": "ü"}, begins, ends, True, first.properties.version),
)
second = client.set_secret("case", "two")
found = client.get_secret("case")
check(
    "a write is a new version, of which what is not sent is not kept",
    (found.value, found.properties.tags, found.properties.content_type, found.properties.expires_on),
    ("two", None, None, None),
)
check("a former version is read by its name", client.get_secret("case", first.properties.version).value, "one")
check(
    "versions are listed",
    {one.version for one in client.list_properties_of_secret_versions("case")},
    {first.properties.version, second.properties.version},
)
client.update_secret_properties("case", first.properties.version, enabled=False)
refused(
    "a version that is disabled", lambda: client.get_secret("case", first.properties.version), 403, "SecretDisabled"
)
check("the others are not", client.get_secret("case").value, "two")
client.update_secret_properties("case", second.properties.version, enabled=False)
refused("a secret whose newest version is disabled", lambda: client.get_secret("case"), 403, "SecretDisabled")
client.set_secret("case", "three")
check("a newer one is read again", client.get_secret("case").value, "three")

# The bin.
deleted = client.begin_delete_secret("case", _polling_interval=0.01).result()
check("what is deleted tells how it comes back", deleted.recovery_id, VAULT + "/deletedsecrets/case")
refused("a secret in the bin", lambda: client.get_secret("case"), 404, "SecretNotFound")
check("it is in the bin", client.get_deleted_secret("case").name, "case")
refused(
    "a write of a name in the bin", lambda: client.set_secret("case", "x"), 409, "ObjectIsDeletedButRecoverable"
)
poller = client.begin_recover_deleted_secret("case", _polling_interval=0.01)
refused("a write during a recovery", lambda: client.set_secret("case", "x"), 409, "ObjectIsBeingRecovered")
refused("the bin during a recovery", lambda: client.get_deleted_secret("case"), 409, "ObjectIsBeingRecovered")
poller.wait()
check("what is recovered holds what it held", client.get_secret("case").value, "three")
client.begin_delete_secret("case", _polling_interval=0.01).wait()
client.purge_deleted_secret("case")
refused("what is purged", lambda: client.get_deleted_secret("case"), 404, "SecretNotFound")
client.set_secret("case", "four")
check("its name is free again", client.get_secret("case").value, "four")

# The stand-in says in its challenge what the domain of the host is that was asked, and the client verifies it.
other = SecretClient("https://acme.vault.azure.cn", logins["a secret"], transport=transport(URL), api_version="7.4")
try:
    other.get_secret("case")
    print("OK a vault of another cloud asks for its own domain")
except HttpResponseError as error:
    fail(f"a vault of another cloud: {error}")
