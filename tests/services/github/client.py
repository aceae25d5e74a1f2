"""The stand-in of GitHub, driven by PyGithub, which knows nothing of rolecall.

Usage: client.py URL APP_KEY.pem DESCRIPTION.json

Every answer about secrets and logins is held to GitHub's description of its API: the path and method are in it,
the status is one that it names (or one that refuses), and the body fits its schema. Prints a line for each thing
that holds; ends with 1 at the first that does not.
"""

import base64
import json
import re
import sys

import requests
from github import Auth, Github, GithubException
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

URL, APP_KEY, DESCRIPTION = sys.argv[1:]
TOKEN = "github_pat_of.the_stand-in.11AAAAAAA0"
with open(DESCRIPTION, encoding="utf-8") as file:
    API = json.load(file)
REGISTRY = Registry().with_resource(
    "urn:api", Resource.from_contents(API, default_specification=DRAFT202012)
)
held = set()


def fail(text):
    print(f"FAILED {text}")
    sys.exit(1)


def check(what, found, expected):
    if found != expected:
        fail(f"{what}: {found!r} instead of {expected!r}")
    print(f"OK {what}")


def refused(what, run, status):
    try:
        run()
    except GithubException as error:
        return check(what, error.status, status)
    return fail(f"{what}: it was not refused")


def operation(method, path):
    """The template of a path and what the description says of it; that with most fixed parts."""
    parts = path.strip("/").split("/")
    best = None
    for template, methods in API["paths"].items():
        pattern = template.strip("/").split("/")
        if len(pattern) != len(parts) or method.lower() not in methods:
            continue
        if all(a == b or a.startswith("{") for a, b in zip(pattern, parts)):
            fixed = sum(a == b for a, b in zip(pattern, parts))
            if best is None or fixed > best[0]:
                best = (fixed, template, methods[method.lower()])
    return best and best[1:]


def validator(pointer):
    return Draft202012Validator(
        {"$ref": "urn:api#" + pointer},
        registry=REGISTRY,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def escape(part):
    return part.replace("~", "~0").replace("/", "~1")


def hold(response):
    """Holds an answer to the description."""
    path = requests.utils.urlparse(response.url).path
    if not re.search("secrets|access_tokens", path):
        return
    method, status = response.request.method, str(response.status_code)
    known = operation(method, path)
    if known is None:
        fail(f"{method} {path} is not in the description")
    template, said = known
    where = f"/paths/{escape(template)}/{method.lower()}/responses/{status}"
    answer = said["responses"].get(status)
    if answer is None:
        if response.status_code < 400:
            fail(f"{method} {template} does not answer with {status}")
        pointer = "/components/schemas/basic-error"
    else:
        while "$ref" in answer:
            where = answer["$ref"].lstrip("#")
            answer = API
            for part in where.strip("/").split("/"):
                answer = answer[part]
        content = answer.get("content", {})
        if "application/json" not in content:
            if response.content:
                fail(f"{method} {template} {status} has no body")
            held.add((method, template, status))
            return
        pointer = where + "/content/application~1json/schema"
    errors = list(validator(pointer).iter_errors(response.json()))
    if errors:
        fail(f"{method} {template} {status}: {errors[0].message} at {list(errors[0].path)}")
    held.add((method, template, status))


send = requests.Session.send


def watched(self, request, **options):
    response = send(self, request, **options)
    hold(response)
    return response


requests.Session.send = watched


def opened(at, name):
    """The value as the stand-in opened it, and which repositories see it."""
    for secret in requests.get(URL + "/stand-in", timeout=10).json()["secrets"]:
        if (secret["at"], secret["name"]) == (at, name):
            value = secret["value"]
            value = None if value is None else base64.b64decode(value).decode()
            return value, secret["visibility"], secret["selected"]
    return None


github = Github(base_url=URL, auth=Auth.Token(TOKEN), retry=None)
app = github.get_repo("acme/app")
web = github.get_repo("acme/web")

for kind in ("actions", "dependabot"):
    at = f"repos/acme/app/{kind}"
    app.create_secret("first", "a value ü", kind)
    check(f"{kind}: a new secret opens", opened(at, "FIRST"), ("a value ü", None, []))
    before = app.get_secret("FIRST", kind)
    app.create_secret("FIRST", "another", kind)
    after = app.get_secret("first", kind)
    check(f"{kind}: the second value opens", opened(at, "FIRST")[0], "another")
    check(f"{kind}: it is as old as before", after.created_at, before.created_at)
    check(f"{kind}: and was written later", after.updated_at > before.updated_at, True)
    names = [secret.name for secret in app.get_secrets(kind)]
    check(f"{kind}: it is listed", names, ["FIRST"])
    after.delete()
    refused(f"{kind}: it is gone", lambda: app.get_secret("FIRST", kind), 404)

production = app.get_environment("production")
production.create_secret("KEY", "of production")
at = "repos/acme/app/environments/production"
check("a secret of an environment opens", opened(at, "KEY")[0], "of production")
check("it is told of", production.get_secret("KEY").name, "KEY")
refused("there is no such environment", lambda: app.get_environment("staging"), 404)

acme = github.get_organization("acme")
for kind in ("actions", "dependabot"):
    at = f"orgs/acme/{kind}"
    acme.create_secret("WIDE", "for all", "all", secret_type=kind)
    check(f"{kind}: a secret of an organization", opened(at, "WIDE"), ("for all", "all", []))
    acme.create_secret("SOME", "for two", "selected", [app, web], kind)
    check(f"{kind}: for two", opened(at, "SOME"), ("for two", "selected", [app.id, web.id]))
    some = acme.get_secret("SOME", kind)
    check(f"{kind}: its visibility", some.visibility, "selected")
    seers = requests.get(
        f"{URL}/orgs/acme/{kind}/secrets/SOME/repositories?per_page=1&page=2",
        headers={"authorization": "Bearer " + TOKEN},
        timeout=10,
    ).json()
    check(f"{kind}: the second page", [one["id"] for one in seers["repositories"]], [web.id])

with open(APP_KEY, encoding="utf-8") as file:
    key = file.read()
installed = Auth.AppAuth("123456", key).get_installation_auth(7890)
as_app = Github(base_url=URL, auth=installed, retry=None, lazy=True)
as_app.get_repo("acme/app").create_secret("OF_APP", "by an App")
check("an App logs in and writes", opened("repos/acme/app/actions", "OF_APP")[0], "by an App")

stranger = Github(base_url=URL, auth=Auth.Token("ghp_of_nobody"), retry=None)
refused("a wrong token", lambda: stranger.get_repo("acme/app"), 401)
lazy = Github(base_url=URL, auth=Auth.Token(TOKEN), retry=None, lazy=True).get_repo("acme/none")
refused("no such repository", lambda: lazy.create_secret("A", "b"), 404)
refused("a name that GitHub keeps", lambda: app.create_secret("GITHUB_X", "b"), 422)
refused("a value that is too large", lambda: app.create_secret("A", "x" * 49153), 422)

for method, template, status in sorted(held):
    print(f"OK by the description: {method} {template} {status}")
if len(held) < 20:
    fail(f"only {len(held)} kinds of answers were held to the description")
