"""The stand-in of GitHub as a code host, driven by PyGithub, which knows nothing of rolecall.

Usage: reviews.py URL DESCRIPTION.json

Every answer is held to GitHub's description of its API: the path and method are in it, the status is one that it
names (or one that refuses), and the body fits its schema. Prints a line for each thing that holds; ends with 1 at the
first that does not.
"""

import io
import json
import sys
import zipfile

import requests
from github import Auth, Github, GithubException
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

URL, DESCRIPTION = sys.argv[1:]
TOKEN = "ghs_of.a.job.of.the.stand-in"
with open(DESCRIPTION, encoding="utf-8") as file:
    API = json.load(file)
REGISTRY = Registry().with_resource(
    "urn:api", Resource.from_contents(API, default_specification=DRAFT202012)
)
# What the description lacks. Events of a kind that it has no schema for are held to the fields that all kinds share.
EVENTS = {"head_ref_force_pushed", "base_ref_changed"}
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


def nullable(value):
    """The description is of OpenAPI 3.0, in which `nullable` stands beside a type."""
    if isinstance(value, dict):
        if value.get("nullable"):
            value.pop("nullable")
            if isinstance(value.get("type"), str):
                value["type"] = [value["type"], "null"]
                if "enum" in value and None not in value["enum"]:
                    value["enum"] = value["enum"] + [None]
            else:
                inner = {key: value.pop(key) for key in list(value)}
                value["anyOf"] = [inner, {"type": "null"}]
        for inner in list(value.values()):
            nullable(inner)
    elif isinstance(value, list):
        for inner in value:
            nullable(inner)


nullable(API)


def escape(part):
    return part.replace("~", "~0").replace("/", "~1")


def hold(response):
    """Holds an answer to the description."""
    path = requests.utils.urlparse(response.url).path
    if path.startswith("/blob") or path == "/graphql":
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
                fail(f"{method} {template} {status} has a body")
            held.add((method, template, status))
            return
        pointer = where + "/content/application~1json/schema"
    body = response.json()
    if template.endswith("/issues/{issue_number}/events") and status == "200":
        for event in body:
            for name in ("id", "node_id", "url", "actor", "event", "created_at"):
                if event.get(name) is None:
                    fail(f"an event has no {name}")
            if event["event"] not in EVENTS:
                fail(f"{event['event']} is no event of the ones that count")
        held.add((method, template, status))
        return
    errors = list(validator(pointer).iter_errors(body))
    if errors:
        error = errors[0]
        while error.context:
            error = min(error.context, key=lambda one: len(list(one.path)) * -1)
        fail(f"{method} {template} {status}: {error.message[:300]} at {list(error.absolute_path)}")
    held.add((method, template, status))


send = requests.Session.send


def watched(self, request, **options):
    response = send(self, request, **options)
    hold(response)
    return response


requests.Session.send = watched


def get(path, code=200, **query):
    """What PyGithub has no call for."""
    answer = requests.get(
        URL + "/repos/acme/access" + path,
        params=query,
        headers={"authorization": "Bearer " + TOKEN},
        allow_redirects=False,
        timeout=10,
    )
    check(f"GET {path} {query or ''}".rstrip(), answer.status_code, code)
    return answer


github = Github(base_url=URL, auth=Auth.Token(TOKEN), retry=None, per_page=2)
access = github.get_repo("acme/access")
check("the default branch", access.default_branch, "main")
check("it is private", access.private, True)

one = access.get_pull(1)
check("it is merged", (one.merged, one.state, one.base.ref), (True, "closed", "main"))
named = get(f"/commits/{one.merge_commit_sha}/pulls").json()
check("by a commit that names it", [p["number"] for p in named], [1])
check("its commits", [commit.sha for commit in one.get_commits()], [one.head.sha])
reviews = list(one.get_reviews())
check("its review", [(r.user.login, r.state, r.commit_id) for r in reviews], [("bob", "APPROVED", one.head.sha)])
check("a reviewer may", access.get_collaborator_permission("bob"), "admin")
check("another may not", access.get_collaborator_permission("eve"), "read")

fork = access.get_pull(2)
check("a fork's", (fork.head.repo.full_name, fork.user.login), ("eve/access", "eve"))
pushes = requests.get(
    URL + "/repos/eve/access/activity",
    params={"ref": "refs/heads/topic"},
    headers={"authorization": "Bearer " + TOKEN},
    timeout=10,
).json()
check("who pushed there", [(p["actor"]["login"], p["after"]) for p in pushes], [("eve", fork.head.sha)])

events = get("/issues/3/events").json()
check("what moved", [e["event"] for e in events], ["head_ref_force_pushed", "base_ref_changed"])
kinds = [p["activity_type"] for p in get("/activity", ref="refs/heads/other").json()]
check("the newest push comes first", kinds, ["force_push", "push"])

rules = get("/rules/branches/main").json()
check("a rule", rules[0]["parameters"]["require_last_push_approval"], False)
main = access.get_branch("main")
compared = access.compare(one.head.sha, main.commit.sha)
check("ahead", (compared.status, compared.commits[0].sha if compared.commits else None), ("ahead", one.merge_commit_sha))
check("behind", access.compare(main.commit.sha, one.head.sha).status, "behind")
check("identical", access.compare(main.commit.sha, main.commit.sha).status, "identical")
get("/compare/" + "9" * 40 + "..." + main.commit.sha, 404)

artifacts = list(access.get_artifacts("rolecall-1"))
check("an artifact", [(a.name, a.expired) for a in artifacts], [("rolecall-1", False)])
run = access.get_workflow_run(artifacts[0].workflow_run.id)
check("its run", (run.event, run.path, run.head_branch), ("pull_request_target", ".github/workflows/rolecall.yml", "main"))
check("of this repository", (run.repository.id, run.head_repository.id), (access.id, access.id))
jobs = get(f"/actions/runs/{run.id}/attempts/1/jobs").json()["jobs"]
check("its job", [(j["name"], j["conclusion"]) for j in jobs], [("plan (access)", "success")])
get(f"/actions/runs/{run.id}/attempts/2/jobs", 404)
get("/actions/runs/1", 404)
where = get(f"/actions/artifacts/{artifacts[0].id}/zip", 302).headers["location"]
packed = requests.get(where, timeout=10)
check("its file", zipfile.ZipFile(io.BytesIO(packed.content)).read("verdict.json"), b"{}")
runs = get("/actions/workflows/rolecall.yml/runs", branch="main", status="success").json()
check("runs that ended well", [r["event"] for r in runs["workflow_runs"]], ["push", "pull_request_target"])

comment = one.create_issue_comment("text ü")
check("a comment", (comment.user.login, comment.user.type, comment.body), ("github-actions[bot]", "Bot", "text ü"))
comment.edit("another")
for n in range(4):
    one.create_issue_comment(f"comment {n}")
check("all of them, by pages", [c.body for c in one.get_issue_comments()],
      ["another", "comment 0", "comment 1", "comment 2", "comment 3"])
refused("one that is too long", lambda: one.create_issue_comment("x" * 65537), 422)
viewer = requests.post(URL + "/graphql", json={"query": "{ viewer { login } }"},
                       headers={"authorization": "Bearer " + TOKEN}, timeout=10).json()
check("who asks", viewer["data"]["viewer"]["login"], "github-actions[bot]")

status = main.commit.create_status("failure", "https://ci.example/1", "red", "rolecall")
check("a status", (status.state, status.context, status.description), ("failure", "rolecall", "red"))
refused("a description that is too long", lambda: main.commit.create_status("success", description="x" * 141), 422)

stranger = Github(base_url=URL, auth=Auth.Token("ghs_nobody"), retry=None)
refused("a wrong token", lambda: stranger.get_repo("acme/access"), 401)

for method, template, status in sorted(held):
    print(f"OK by the description: {method} {template} {status}")
if len(held) < 22:
    fail(f"only {len(held)} kinds of answers were held to the description")
