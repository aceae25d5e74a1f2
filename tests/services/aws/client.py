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
model = secrets.meta.service_model


def held_to_the_model(http_response, parsed, model, **_):
    """Every member of an answer is one that the model has: boto3 drops others without a word."""
    import json

    if http_response.status_code != 200 or model.service_model.service_name != "secretsmanager":
        return
    unknown = set(json.loads(http_response.content)) - set(model.output_shape.members)
    assert not unknown, (model.name, unknown)


secrets.meta.events.register("after-call.secretsmanager", held_to_the_model)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error
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
print(f"boto3 {boto3.__version__} takes the stand-in of AWS")
