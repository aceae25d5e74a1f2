"""The stand-in of GitLab, driven by python-gitlab, which knows nothing of rolecall.

Usage: client.py URL

Prints a line for each thing that holds; ends with 1 at the first that does not.
"""

import sys

import gitlab

URL = sys.argv[1]
TOKEN = "glpat-of-the_stand-in.01.abcdefghij"
LINE = "eyJtcm4iOiAibm90IHJlYWxseSJ9+/=="
JSON = '{\n  "mrn": "not really"\n}'


def fail(text):
    print(f"FAILED {text}")
    sys.exit(1)


def check(what, found, expected):
    if found != expected:
        fail(f"{what}: {found!r} instead of {expected!r}")
    print(f"OK {what}")


def refused(what, run, status, words=""):
    try:
        run()
    except gitlab.exceptions.GitlabError as error:
        check(f"{what} is refused", error.response_code, status)
        if words not in str(error):
            fail(f"{what}: {error!s} says nothing of {words!r}")
        return
    fail(f"{what}: it was not refused")


def scoped(scope):
    return {"filter": {"environment_scope": scope}}


client = gitlab.Gitlab(URL, private_token=TOKEN, retry_transient_errors=False)
check("a token tells its scopes", client.personal_access_tokens.get("self").scopes, ["api"])
stranger = gitlab.Gitlab(URL, private_token="glpat-nobody", retry_transient_errors=False)
refused("a token of nobody", lambda: stranger.projects.get("acme/app"), 401)
refused("no project of this path", lambda: client.projects.get("acme/none"), 404)
refused("no group of this path", lambda: client.groups.get("none"), 404)
check("a project in other letters", client.projects.get("Acme/App").path_with_namespace, "acme/app")

owners = {
    "project": (client.projects.get("acme/app"), "404 Variable Not Found"),
    "group": (client.groups.get("acme/team"), "404 GroupVariable Not Found"),
}
for kind, (owner, absent) in owners.items():
    variables = owner.variables
    refused(f"a variable of a {kind} that is not there", lambda: variables.get("NONE"), 404, absent)

    made = variables.create({"key": "PLAIN", "value": "x"})
    found = {name: made.attributes.get(name) for name in (
        "key", "value", "variable_type", "protected", "masked", "hidden", "raw", "environment_scope", "description",
    )}
    check(f"a variable of a {kind} of which nothing is said", found, {
        "key": "PLAIN", "value": "x", "variable_type": "env_var", "protected": False, "masked": False,
        "hidden": False, "raw": False, "environment_scope": "*", "description": None,
    })
    refused(
        "a variable that is there", lambda: variables.create({"key": "PLAIN", "value": "y"}), 400,
        "has already been taken",
    )
    refused("a name with a dash", lambda: variables.create({"key": "A-B", "value": "y"}), 400)

    for value, raw in ((JSON, False), (JSON, True), ("short", True), ("one two three", True)):
        made = {"key": "MASKED", "value": value, "masked": True, "raw": raw}
        refused(f"{value!r} masked (raw: {raw})", lambda: variables.create(made), 400, "is invalid")
    variables.create({"key": "MASKED", "value": LINE, "masked": True, "raw": True, "protected": True,
                      "description": "of a test"})
    variables.update("MASKED", {"value": LINE + "new"}, **scoped("*"))
    found = variables.get("MASKED", **scoped("*"))
    check(
        f"an update of a {kind}'s variable leaves all that it does not name",
        (found.value, found.masked, found.raw, found.protected, found.description),
        (LINE + "new", True, True, True, "of a test"),
    )

    variables.create({"key": "HIDDEN", "value": LINE, "masked_and_hidden": True})
    found = variables.get("HIDDEN", **scoped("*"))
    check("what is hidden is not shown", (found.value, found.hidden, found.masked), (None, True, True))
    variables.update("HIDDEN", {"value": LINE + "new"}, **scoped("*"))
    check("and stays hidden", variables.get("HIDDEN").value, None)
    refused(
        "what is hidden without a mask", lambda: variables.update("HIDDEN", {"masked": False}, **scoped("*")), 400
    )

    variables.create({"key": "FILE", "value": JSON, "variable_type": "file"})
    found = variables.get("FILE")
    check("a file holds JSON as it is", (found.value, found.variable_type), (JSON, "file"))

    for scope in ("*", "review/*", "a b"):
        variables.create({"key": "SCOPED", "value": scope, "environment_scope": scope})
    for scope in ("*", "review/*", "a b"):
        check(f"the variable of the scope {scope!r}", variables.get("SCOPED", **scoped(scope)).value, scope)
    refused("one of several", lambda: variables.get("SCOPED"), 409, "multiple variables")
    refused("a scope that no variable has", lambda: variables.get("SCOPED", **scoped("prod")), 404, absent)
    variables.update("SCOPED", {"value": "other", "environment_scope": "review/*"}, **scoped("review/*"))
    variables.delete("SCOPED", **scoped("review/*"))
    left = sorted(one.environment_scope for one in variables.list(get_all=True) if one.key == "SCOPED")
    check("a variable is deleted and its neighbours are not", left, ["*", "a b"])
    refused("what was deleted", lambda: variables.delete("SCOPED", **scoped("review/*")), 404, absent)
