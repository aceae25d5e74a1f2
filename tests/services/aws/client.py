"""Drives the stand-in of AWS with boto3, and holds its answers to the service's published model.

Usage: client.py URL. Ends with 0 if the stand-in is as boto3 and that model want it.
"""

import os
import pathlib
import sys
import tempfile

import boto3
import botocore.config
import botocore.exceptions

URL = sys.argv[1]


def client(service, key="of/the+stand-in"):
    return boto3.client(
        service,
        endpoint_url=URL,
        region_name="eu-central-1",
        aws_access_key_id="AKIDEXAMPLEOFSTANDIN",
        aws_secret_access_key=key,
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


secrets = client("secretsmanager")
parameters = client("ssm")


def held_to_the_model(http_response, parsed, model, **_):
    """Every member of an answer is one that the model has: boto3 drops others without a word."""
    import json

    if http_response.status_code != 200:
        return
    known_alone(model.name, model.output_shape, json.loads(http_response.content))


def known_alone(where, shape, told):
    if shape.type_name == "structure":
        unknown = set(told) - set(shape.members)
        assert not unknown, (where, unknown)
        for name, value in told.items():
            known_alone(f"{where}.{name}", shape.members[name], value)
    elif shape.type_name == "list":
        for value in told:
            known_alone(where, shape.member, value)


secrets.meta.events.register("after-call.secretsmanager", held_to_the_model)
parameters.meta.events.register("after-call.ssm", held_to_the_model)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        model = call.__self__.meta.service_model
        names = {shape.metadata.get("error", {}).get("code", shape.name)
                 for name in model.operation_names for shape in model.operation_model(name).error_shapes}
        assert code in names | {"InvalidSignatureException", "ValidationException"}, code
        return
    raise AssertionError(f"{call} was not refused with {code}")


first, second, third = ("rolecall-" + letter * 27 for letter in "123")
name = "mondoo/ci"
assert client("sts").get_caller_identity()["Account"] == "123456789012"
refused("InvalidSignatureException", client("secretsmanager", "wrong").describe_secret, SecretId=name)
refused("ResourceNotFoundException", secrets.describe_secret, SecretId=name)
made = secrets.create_secret(Name=name, ClientRequestToken=first, SecretString="{}")
assert made["VersionId"] == first
secrets.create_secret(Name=name, ClientRequestToken=first, SecretString="{}")
refused("ResourceExistsException", secrets.create_secret, Name=name, ClientRequestToken=second, SecretString="x")
put = secrets.put_secret_value(
    SecretId=name, ClientRequestToken=second, SecretString="key", VersionStages=["AWSPENDING"])
assert put["VersionStages"] == ["AWSPENDING"]
refused("ResourceExistsException", secrets.put_secret_value,
        SecretId=name, ClientRequestToken=second, SecretString="other", VersionStages=["AWSPENDING"])
assert secrets.get_secret_value(SecretId=name)["SecretString"] == "{}"
assert secrets.get_secret_value(SecretId=name, VersionId=second)["SecretString"] == "key"
refused("InvalidParameterException", secrets.update_secret_version_stage,
        SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=second, RemoveFromVersionId=third)
secrets.update_secret_version_stage(
    SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=second, RemoveFromVersionId=first)
secrets.update_secret_version_stage(
    SecretId=name, VersionStage="AWSPENDING", RemoveFromVersionId=second)
told = secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
assert told == {first: ["AWSPREVIOUS"], second: ["AWSCURRENT"]}, told
assert secrets.get_secret_value(SecretId=name)["VersionId"] == second

name = "/mondoo/ci"
refused("InvalidSignatureException", client("ssm", "wrong").get_parameter, Name=name)
refused("ParameterNotFound", parameters.get_parameter, Name=name, WithDecryption=True)
refused("ParameterNotFound", parameters.get_parameter_history, Name=name)
refused("ValidationException", parameters.put_parameter, Name=name, Value="x" * 4097, Type="SecureString",
        Tier="Standard")
refused("ValidationException", parameters.put_parameter, Name="/aws-ci", Value="x", Type="SecureString")
made = parameters.put_parameter(Name=name, Value="{}", Type="SecureString", Tier="Standard", Overwrite=False)
assert (made["Version"], made["Tier"]) == (1, "Standard")
refused("ParameterAlreadyExists", parameters.put_parameter, Name=name, Value="x", Type="SecureString")
put = parameters.put_parameter(
    Name=name, Value="key", Type="SecureString", Tier="Advanced", KeyId="alias/ours", Description="of ci",
    AllowedPattern=".*", Overwrite=True)
assert (put["Version"], put["Tier"]) == (2, "Advanced")
refused("ValidationException", parameters.put_parameter, Name=name, Value="x", Type="SecureString",
        Tier="Standard", Overwrite=True)
got = parameters.get_parameter(Name=name, WithDecryption=True)["Parameter"]
assert (got["Value"], got["Version"], got["Type"]) == ("key", 2, "SecureString")
assert got["ARN"] == "arn:aws:ssm:eu-central-1:123456789012:parameter/mondoo/ci"
assert parameters.get_parameter(Name=name)["Parameter"]["Value"] != "key"
assert parameters.get_parameter(Name=name + ":1", WithDecryption=True)["Parameter"]["Value"] == "{}"
refused("ParameterVersionNotFound", parameters.get_parameter, Name=name + ":9")
for _ in range(3):
    parameters.put_parameter(Name=name, Value="key", Type="SecureString", Tier="Advanced", Overwrite=True)
pages = parameters.get_paginator("get_parameter_history").paginate(Name=name, WithDecryption=False)
pages = [page["Parameters"] for page in pages]
assert len(pages) == 2 and [one["Version"] for page in pages for one in page] == [1, 2, 3, 4, 5]
second = pages[0][1]
assert (second["KeyId"], second["Description"], second["AllowedPattern"]) == ("alias/ours", "of ci", ".*")
assert all(one["Value"] not in ("{}", "key") for page in pages for one in page)
# What is not said is not kept.
assert pages[1][1]["KeyId"] == "alias/aws/ssm" and "Description" not in pages[1][1]


def logs_in(**variables):
    """boto3 logs in by what the environment says and by nothing else, and signs with what it got."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_DEFAULT_REGION="eu-central-1", AWS_ENDPOINT_URL_STS=URL, AWS_CONFIG_FILE="/dev/null",
        AWS_SHARED_CREDENTIALS_FILE="/dev/null", AWS_EC2_METADATA_DISABLED="true")
    os.environ.update(variables)
    session = boto3.Session()
    assert session.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert session.get_credentials().get_frozen_credentials().token.startswith("session-")
    return session.get_credentials().method


with tempfile.TemporaryDirectory() as folder:
    token, config = pathlib.Path(folder, "token"), pathlib.Path(folder, "config")
    token.write_text("a.b.c")
    role = "arn:aws:iam::123456789012:role/rolecall"
    config.write_text(
        "[profile base]\naws_access_key_id = AKIDEXAMPLEOFSTANDIN\naws_secret_access_key = of/the+stand-in\n"
        f"[profile role]\nrole_arn = {role}\nsource_profile = base\n"
        f"[profile token]\nrole_arn = {role}\nweb_identity_token_file = {token}\n")
    instance = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": URL}
    container = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": URL + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a.b.c"}
    methods = [
        logs_in(**instance, AWS_EC2_METADATA_V1_DISABLED="true"),
        logs_in(**container),
        logs_in(AWS_ROLE_ARN=role, AWS_WEB_IDENTITY_TOKEN_FILE=str(token)),
        logs_in(AWS_CONFIG_FILE=str(config), AWS_PROFILE="role"),
        logs_in(AWS_CONFIG_FILE=str(config), AWS_PROFILE="token"),
    ]
assert methods == [
    "iam-role", "container-role", "assume-role-with-web-identity", "assume-role", "assume-role-with-web-identity",
], methods
print(f"boto3 {boto3.__version__} takes the stand-in of AWS")
