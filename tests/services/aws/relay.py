"""Stands between rolecall and a server: botocore computes the signature of each request anew.

Usage: relay.py UPSTREAM FOLDER

UPSTREAM is a URL, or `moto`: then moto is served, and each request is first held to what AWS refuses and moto takes.
Prints its own URL. Each request is a line in FOLDER/relayed, each that is wrong a line in FOLDER/wrong.
"""

import http.client
import http.server
import json
import pathlib
import re
import sys
import time

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.session

KEYS = ("AKIDEXAMPLEOFSTANDIN", "of/the+stand-in")
FORM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/([0-9]{8})/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})")
SERVICES = {"secretsmanager": "secretsmanager", "AmazonSSM": "ssm"}
# What has to be signed where it is there.
SIGNED = {"host", "content-type", "x-amz-date", "x-amz-target", "x-amz-security-token"}


def why_not(method, path, headers, body):
    """Why a signature is not the one that botocore computes; nothing if it is."""
    form = FORM.fullmatch(headers.get("authorization", ""))
    if not form:
        return "the header has another form"
    identity, day, region, service, names, signature = form.groups()
    names, date = names.split(";"), headers.get("x-amz-date", "")
    target = headers.get("x-amz-target", "").split(".")[0]
    if identity != KEYS[0] or region != "eu-central-1" or service != SERVICES.get(target, "sts"):
        return f"it is for {identity}, {region}, {service}"
    if names != sorted(names) or (SIGNED & set(headers)) - set(names):
        return f"these are signed: {names}"
    then = time.mktime(time.strptime(date, "%Y%m%dT%H%M%SZ")) - time.timezone
    if not date.startswith(day) or abs(time.time() - then) > 300:
        return f"the time is {date}"
    request = botocore.awsrequest.AWSRequest(
        method=method, url=f"http://{headers['host']}{path}", data=body,
        headers={name: headers[name] for name in names})
    request.context["timestamp"] = date
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(*KEYS), service, region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return None if signer.signature(text, request) == signature else "it is another one"


class Strict:
    """What AWS refuses by its published model and documentation, and moto takes."""

    def __init__(self, url):
        session = botocore.session.get_session()
        self.models = {target: session.get_service_model(name) for target, name in SERVICES.items()}
        self.tokens = {}
        self.secrets = boto3.client(
            "secretsmanager", endpoint_url=url, region_name="eu-central-1", aws_access_key_id=KEYS[0],
            aws_secret_access_key=KEYS[1])

    def unfit(self, where, shape, value):
        """Why a value is none of its shape."""
        kinds = {"structure": dict, "list": list, "string": str, "boolean": bool, "integer": int, "long": int}
        kind = kinds[shape.type_name]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            return f"{where} is no {shape.type_name}"
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        size = value if kind in (int, bool) else len(value)
        if low is not None and size < low or high is not None and size > high:
            return f"{where} has {size}, and from {low} to {high} may be"
        if kind is str:
            pattern, known = shape.metadata.get("pattern"), getattr(shape, "enum", None)
            if pattern and not re.fullmatch(pattern, value, re.DOTALL):
                return f"{where} is not {pattern}"
            if known and value not in known:
                return f"{where} is none of {known}"
        if kind is list:
            return next(filter(None, (self.unfit(where, shape.member, one) for one in value)), None)
        if kind is dict:
            if set(value) - set(shape.members) or set(shape.required_members) - set(value):
                return f"{where} has {sorted(value)}"
            return next(filter(None, (
                self.unfit(f"{where}.{name}", shape.members[name], one) for name, one in value.items())), None)
        return None

    def refuses(self, target, operation, body):
        """The error with which AWS refuses a request, or nothing."""
        try:
            shape = self.models[target].operation_model(operation).input_shape
        except botocore.exceptions.ClientError:
            return "UnknownOperationException", operation
        unfit = self.unfit(operation, shape, body)
        if unfit:
            return "ValidationException", unfit
        if target == "AmazonSSM":
            return self.parameter(operation, body)
        secret, token = body.get("SecretId", body.get("Name")), body.get("ClientRequestToken")
        if operation not in ("CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"):
            return None
        try:
            if "DeletedDate" in self.secrets.describe_secret(SecretId=secret):
                return "InvalidRequestException", "the secret is marked for deletion"
        except self.secrets.exceptions.ResourceNotFoundException:
            pass
        if token is None:
            return None
        text = body["SecretString"]
        if len(text.encode()) > 65536:
            return "ValidationException", "SecretString is too long"
        if self.tokens.setdefault((secret, token), text) != text:
            return "ResourceExistsException", "another value has that token"
        return None

    @staticmethod
    def parameter(operation, body):
        if operation != "PutParameter":
            return None
        room = {"Standard": 4096, "Advanced": 8192}.get(body.get("Tier", "Standard"), 8192)
        if len(body["Value"].encode()) > room or "{{" in body["Value"]:
            return "ValidationException", "the value is too long, or holds {{"
        return None


class Relay(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, file, text):
        with open(FOLDER / file, "a", encoding="utf-8") as out:
            out.write(text + "\n")

    def told(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        target = headers.get("x-amz-target", "")
        action = target or body.split(b"&")[0].decode()
        self.note("relayed", action)
        wrong = why_not(self.command, self.path, headers, body)
        if wrong:
            self.note("wrong", f"{action}: {wrong}")
        if STRICT and target:
            refused = STRICT.refuses(*target.split(".", 1), json.loads(body))
            if refused:
                code, message = refused
                self.note("refused", f"{action}: {code}: {message}")
                text = json.dumps({"__type": code, "message": message}).encode()
                self.told(400, [("content-type", "application/x-amz-json-1.1")], text)
                return
        upstream = http.client.HTTPConnection(*UPSTREAM, timeout=30)
        upstream.request(self.command, self.path, body, {**headers, "connection": "close"})
        answer = upstream.getresponse()
        self.told(answer.status, answer.getheaders(), answer.read())


FOLDER = pathlib.Path(sys.argv[2])
STRICT = None
if sys.argv[1] == "moto":
    import logging

    import moto.server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    UPSTREAM = server.get_host_and_port()
    print("moto http://%s:%s" % UPSTREAM, flush=True)
    STRICT = Strict("http://%s:%s" % UPSTREAM)
else:
    host, port = sys.argv[1].removeprefix("http://").split(":")
    UPSTREAM = (host, int(port))
relay = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay)
print("relay http://127.0.0.1:%s" % relay.server_port, flush=True)
relay.serve_forever()
