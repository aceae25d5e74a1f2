"""Another client of Vault: makes what the tests find there, and reads what they left.

client.py prepare PAGE   mounts, secrets of others, logins, and the policy of the page, which all logins get
client.py read           every value that a test names as delivered is a credential of that account
client.py show PATH      the credential there
client.py version PATH   how many values it has had
"""
import base64
import json
import os
import re
import subprocess
import sys
import time

import hvac

FOLDER = os.environ["ROLECALL_TEST_VAULT_FOLDER"]
AUDIENCE = "https://vault.test"
root = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["ROLECALL_TEST_VAULT_ROOT"])
kv = root.secrets.kv.v2


def keep(name, text):
    with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
        file.write(text)


def token_of_a_job():
    """A JWT, signed by openssl with the key that Vault is told to trust."""
    part = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
    now = int(time.time())
    claims = {"iss": "https://issuer.test", "sub": "repo:acme/app", "aud": AUDIENCE, "iat": now, "exp": now + 900}
    text = part(b'{"alg":"RS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
    key = os.path.join(FOLDER, "issuer.key")
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text, capture_output=True, check=True)
    return (text + b"." + part(signed.stdout)).decode()


def prepare(page):
    text = open(page, encoding="utf-8").read()
    policy = re.search(r"```hcl\n(path \"secret/data/.*?)```", text, re.S).group(1)
    root.sys.create_or_update_policy("job", policy)
    keep("token", root.auth.token.create(policies=["job"], no_default_policy=True)["auth"]["client_token"])
    for name, renewable in [("renewable", True), ("ending", False)]:
        made = root.auth.token.create(policies=["job"], no_default_policy=True, ttl="1h", renewable=renewable)
        keep(f"token-{name}", made["auth"]["client_token"])
    root.sys.enable_auth_method("approle")
    root.auth.approle.create_or_update_approle("job", token_policies=["job"], token_no_default_policy=True)
    keep("role-id", root.auth.approle.read_role_id("job")["data"]["role_id"])
    keep("secret-id", root.auth.approle.generate_secret_id("job")["data"]["secret_id"])
    root.sys.enable_auth_method("jwt")
    public = open(os.path.join(FOLDER, "issuer.pem"), encoding="utf-8").read()
    root.auth.jwt.configure(jwt_validation_pubkeys=[public])
    root.auth.jwt.create_role(
        "job", role_type="jwt", user_claim="sub", bound_audiences=[AUDIENCE], bound_subject="repo:acme/app",
        token_policies=["job"], token_no_default_policy=True, allowed_redirect_uris=[])
    keep("jwt", token_of_a_job())
    root.sys.enable_secrets_engine("kv", path="strict", options={"version": "2"})
    root.sys.enable_secrets_engine("kv", path="first", options={"version": "1"})
    for _ in range(50):  # An engine of version 2 is not there at once.
        try:
            kv.configure(mount_point="strict", cas_required=True)
            break
        except hvac.exceptions.VaultError:
            time.sleep(0.2)
    kv.create_or_update_secret("mondoo/shared", {"other": "x", "number": 7}, mount_point="secret")
    kv.create_or_update_secret("mondoo/deleted", {"credential": "gone"}, mount_point="secret")
    kv.delete_latest_version_of_secret("mondoo/deleted", mount_point="secret")


def read():
    lines = open(os.path.join(FOLDER, "delivered"), encoding="utf-8").read().splitlines()
    for line in lines:
        mount, path, form, account = line.split()
        found = kv.read_secret_version(path, mount_point=mount, raise_on_deleted_version=True)
        value = found["data"]["data"]["credential"]
        if form == "base64":
            assert "\n" not in value, path
            value = base64.b64decode(value, validate=True)
        assert json.loads(value)["mrn"] == account, path
    assert len(lines) >= 7, lines
    # What stood beside a key is as it was.
    shared = kv.read_secret_version("mondoo/shared", mount_point="secret", raise_on_deleted_version=True)
    assert shared["data"]["data"] == {"other": "x", "number": 7}, shared["data"]["data"].keys()
    marked = kv.read_secret_metadata("mondoo/marked", mount_point="secret")["data"]["custom_metadata"]
    assert set(marked) == {"rolecall_account", "rolecall_fingerprint"}, marked.keys()
    print(f"{len(lines)} values read by the Python client hvac, as they were delivered")


def show(path):
    print(kv.read_secret_version(path, mount_point="secret", raise_on_deleted_version=True)["data"]["data"]["credential"], end="")


def version(path):
    print(kv.read_secret_version(path, mount_point="secret")["data"]["metadata"]["version"])


{"prepare": prepare, "read": read, "show": show, "version": version}[sys.argv[1]](*sys.argv[2:])
