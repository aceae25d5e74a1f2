"""Drives the stand-in of AWS with boto3, and holds its answers to the service's published model.

Usage: client.py URL. Ends with 0 if the stand-in is as boto3 and that model want it.
"""

import sys

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
print(f"boto3 {boto3.__version__} takes the stand-in of AWS")
