"""Another client of the API server: makes what the tests find there, and reads what they left.

client.py prepare PAGE   namespaces, Secrets of others, and the Role of the page, bound to the user `job`
client.py read           every value that a test names as delivered is a credential of that account
client.py show NAME      the credential in that Secret; NAME/KEY is another key of it than `config`
"""
import base64
import json
import os
import re
import sys

import kubernetes
import yaml

NAMESPACE = "mondoo-operator"

settings = kubernetes.client.Configuration()
settings.host = os.environ["KUBE_SERVER"]
settings.ssl_ca_cert = os.environ["KUBE_CA_FILE"]
settings.api_key["authorization"] = "Bearer " + os.environ["ROLECALL_TEST_KUBE_ADMIN"]
api = kubernetes.client.ApiClient(settings)
core = kubernetes.client.CoreV1Api(api)
rbac = kubernetes.client.RbacAuthorizationV1Api(api)


def secret(name, data, **more):
    data = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"name": name, "labels": {"owner": "others"}}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data, **more}
    core.create_namespaced_secret(NAMESPACE, body, field_manager="others")


def prepare(page):
    for name in (NAMESPACE, "elsewhere"):
        core.create_namespace({"metadata": {"name": name}})
    secret("of-type-tls", {"tls.crt": "c", "tls.key": "k"}, type="kubernetes.io/tls")
    secret("frozen", {"other": "x"}, immutable=True)
    secret("shared", {"other": "x"})
    text = open(page, encoding="utf-8").read()
    role = yaml.safe_load(re.search(r"```yaml\n(apiVersion: rbac.*?)```", text, re.S).group(1))
    assert role["metadata"]["namespace"] == NAMESPACE
    rbac.create_namespaced_role(NAMESPACE, role)
    binding = {
        "metadata": {"name": "job"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role["metadata"]["name"]},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "job"}],
    }
    rbac.create_namespaced_role_binding(NAMESPACE, binding)


def read():
    folder = os.environ["ROLECALL_TEST_KUBE_FOLDER"]
    lines = open(os.path.join(folder, "delivered"), encoding="utf-8").read().splitlines()
    read = 0
    for line in lines:
        name, key, form, account, kind = line.split()
        found = core.read_namespaced_secret(name, NAMESPACE)
        value = base64.b64decode(found.data[key], validate=True)
        if form == "base64":
            assert b"\n" not in value, name
            value = base64.b64decode(value, validate=True)
        assert json.loads(value)["mrn"] == account, (name, key)
        assert found.type == kind, (name, found.type)
        managers = {one.manager: one.operation for one in found.metadata.managed_fields}
        assert managers.get("rolecall/acme-access/k7m2q9ta") == "Apply", managers
        read += 1
    assert read >= 5, read
    # Those of others are as they were.
    tls = core.read_namespaced_secret("of-type-tls", NAMESPACE)
    assert sorted(tls.data) == ["tls.crt", "tls.key"] and tls.type == "kubernetes.io/tls"
    assert list(core.read_namespaced_secret("frozen", NAMESPACE).data) == ["other"]
    shared = core.read_namespaced_secret("shared", NAMESPACE)
    assert base64.b64decode(shared.data["other"]) == b"x"
    assert shared.metadata.labels == {"owner": "others"}
    print(f"{read} values read by the Python client {kubernetes.__version__}, as they were delivered")


def show(name):
    name, _, key = name.partition("/")
    value = core.read_namespaced_secret(name, NAMESPACE).data[key or "config"]
    print(base64.b64decode(value, validate=True).decode(), end="")


{"prepare": prepare, "read": read, "show": show}[sys.argv[1]](*sys.argv[2:])
