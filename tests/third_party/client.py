"""The main operations against a platform, by a GraphQL client that knows nothing of rolecall.

Usage: client.py URL CREDENTIAL.json SPACE_MRN

It reads the schema by introspection, so every document is validated here against what the
platform says of itself before it is sent. Prints a line for each thing that holds; ends with 1
at the first that does not.
"""

import json
import sys
import time

import jwt
from gql import Client, GraphQLRequest, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.requests import RequestsHTTPTransport
from graphql import GraphQLError
from requests.auth import AuthBase

ROLE = "//iam.api.mondoo.app/roles/"


class ServiceAccount(AuthBase):
    """Signs each request anew with the key of a credential."""

    def __init__(self, mrn, key):
        self.mrn, self.key = mrn, key

    def __call__(self, request):
        now = int(time.time())
        claims = {
            "iss": "mondoo/ams",
            "sub": self.mrn,
            "iat": now,
            "nbf": now,
            "exp": now + 60,
        }
        token = jwt.encode(claims, self.key, algorithm="ES384", headers={"kid": self.mrn})
        request.headers["Authorization"] = "Bearer " + token
        return request


def connect(url, mrn, key):
    transport = RequestsHTTPTransport(url=url, auth=ServiceAccount(mrn, key), timeout=30)
    return Client(transport=transport, fetch_schema_from_transport=True)


def check(what, found, expected):
    if found != expected:
        print(f"FAILED {what}: {found!r} instead of {expected!r}")
        sys.exit(1)
    print(f"OK {what}")


def refused(what, run, expected):
    try:
        answer = run()
    except expected as error:
        print(f"OK {what}")
        return error
    print(f"FAILED {what}: answered {answer!r}")
    return sys.exit(1)


def main(url, credential, space):
    with open(credential, encoding="utf-8") as file:
        owner = json.load(file)
    client = connect(url, owner["mrn"], owner["private_key"])

    def run(document, at=client, **variables):
        return at.execute(GraphQLRequest(gql(document), variable_values=variables))

    viewer = run("{ viewer { __typename mrn } }")
    check("viewer", viewer["viewer"], {"__typename": "Viewer", "mrn": owner["mrn"]})
    check("introspection", client.schema.query_type.name, "Query")
    check("introspection of mutations", "setRoles" in client.schema.mutation_type.fields, True)
    for field, inner in (("viewer", "mrnn"), ("nonsense", "mrn")):
        document = "{ %s { %s } }" % (field, inner)
        refused(f"{document} by the schema", lambda d=document: run(d), GraphQLError)

    create = """
        mutation Create($input: CreateServiceAccountInput) {
          made: createServiceAccount(input: $input) {
            mrn certificate privateKey scopeMrn apiEndpoint
          }
        }"""
    wanted = {
        "scopeMrn": space,
        "name": "third party \u00e4\u2603",
        "description": "made by gql",
        "roles": [{"mrn": ROLE + "viewer"}],
        "labels": [{"key": "team", "value": "third"}],
    }
    made = run(create, input=wanted)["made"]
    check("create answers with the scope", made["scopeMrn"], space)
    check("create answers with a key", made["privateKey"].startswith("-----BEGIN PRIVATE"), True)
    mrn = made["mrn"]
    account = connect(url, mrn, made["privateKey"])
    check("the new key signs", run("{ viewer { mrn } }", at=account)["viewer"]["mrn"], mrn)

    listing = """
        query List($scopeMrn: String, $first: Int, $after: String) {
          serviceAccounts(scopeMrn: $scopeMrn, first: $first, after: $after) {
            totalCount
            edges { node { mrn name description roles { mrn } labels { key value } lastUsed } }
            pageInfo { endCursor hasNextPage }
          }
        }"""
    seen, after = [], None
    while True:
        page = run(listing, scopeMrn=space, first=1, after=after)["serviceAccounts"]
        seen += [edge["node"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    check("pages of one give each account once", len({n["mrn"] for n in seen}), len(seen))
    check("totalCount", page["totalCount"], len(seen))
    node = next(n for n in seen if n["mrn"] == mrn)
    check("the name as it was sent", node["name"], wanted["name"])
    check("the description", node["description"], wanted["description"])
    check("the labels", node["labels"], wanted["labels"])
    check("the roles", node["roles"], [{"mrn": ROLE + "viewer"}])
    check("lastUsed moved", bool(node["lastUsed"]), True)

    update = """
        mutation Update($input: UpdateServiceAccountInput!) {
          updateServiceAccount(input: $input) { name notes labels { key value } }
        }"""
    change = {"mrn": mrn, "name": "renamed", "notes": "noted", "labels": wanted["labels"]}
    updated = run(update, input=change)["updateServiceAccount"]
    expected = {"name": "renamed", "notes": "noted", "labels": wanted["labels"]}
    check("update", updated, expected)

    set_roles = "mutation S($input: SetRolesInput!) { setRoles(input: $input) { mrns errors } }"
    get_roles = """
        query G($identity: String!, $scopeMrn: String!) {
          getRoles(identity: $identity, scopeMrn: $scopeMrn) { roles }
        }"""
    update = {"entityMrn": mrn, "roles": [{"mrn": ROLE + "agent"}]}
    both = {
        "editor": {"scopeMrn": space, "identity": mrn, "roles": [ROLE + "editor"]},
        "agent": {"scopeMrn": space, "updates": [update]},
    }
    for role, value in both.items():
        run(set_roles, input=value)
        roles = run(get_roles, identity=mrn, scopeMrn=space)["getRoles"]["roles"]
        check(f"setRoles makes it {role}, says getRoles", ROLE + role in roles, True)

    error = refused(
        "an account without the right is denied",
        lambda: run(create, at=account, input=wanted),
        TransportQueryError,
    )
    check("the denial's code", "code = PermissionDenied" in error.errors[0]["message"], True)

    delete = "mutation D($input: DeleteServiceAccountsInput!) " \
        "{ deleteServiceAccounts(input: $input) { mrns } }"
    deleted = run(delete, input={"scopeMrn": space, "mrns": [mrn]})
    check("delete", deleted["deleteServiceAccounts"]["mrns"], [mrn])
    error = refused(
        "the deleted account is refused at once",
        lambda: run("{ viewer { mrn } }", at=account),
        TransportQueryError,
    )
    check("as unauthenticated", "unauthenticated" in error.errors[0]["message"], True)
    one = "query R($mrn: String!) { serviceAccount(mrn: $mrn) { mrn } }"
    error = refused("it is not found", lambda: run(one, mrn=mrn), TransportQueryError)
    check("with NotFound", "code = NotFound" in error.errors[0]["message"], True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
