"""The layer before moto refuses what AWS refuses, and notices a signature by a wrong key: once, for this.

Usage: strict.py URL
"""

import sys

import boto3
import botocore.config
import botocore.exceptions


def client(service, key="of/the+stand-in"):
    return boto3.client(
        service, endpoint_url=sys.argv[1], region_name="eu-central-1", aws_access_key_id="AKIDEXAMPLEOFSTANDIN",
        aws_secret_access_key=key,
        config=botocore.config.Config(retries={"total_max_attempts": 1}, parameter_validation=False))


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"{call.__name__} was not refused with {code}")


secrets, parameters = client("secretsmanager"), client("ssm")
token, other = "t" * 32, "u" * 32
secrets.create_secret(Name="strict", ClientRequestToken=token, SecretString="a")
secrets.create_secret(Name="strict", ClientRequestToken=token, SecretString="a")
put = {"SecretId": "strict", "VersionStages": ["AWSPENDING"]}
refused("ResourceExistsException", secrets.put_secret_value, ClientRequestToken=token, SecretString="b", **put)
refused("ValidationException", secrets.put_secret_value, ClientRequestToken="t" * 31, SecretString="b", **put)
refused("ValidationException", secrets.put_secret_value, ClientRequestToken=other, SecretString="b" * 65537, **put)
secrets.put_secret_value(ClientRequestToken=other, SecretString="b" * 65536, **put)
secrets.delete_secret(SecretId="strict")
refused("InvalidRequestException", secrets.put_secret_value, ClientRequestToken="v" * 32, SecretString="c", **put)
refused("InvalidRequestException", secrets.create_secret, Name="strict", ClientRequestToken=other, SecretString="c")
refused("InvalidRequestException", secrets.update_secret_version_stage, SecretId="strict",
        VersionStage="AWSCURRENT", MoveToVersionId=other, RemoveFromVersionId=token)
for tier, room in (("Standard", 4096), ("Advanced", 8192)):
    put = {"Name": f"/strict/{tier}", "Type": "SecureString", "Tier": tier}
    refused("ValidationException", parameters.put_parameter, Value="x" * (room + 1), **put)
    refused("ValidationException", parameters.put_parameter, Value="{{x}}", **put)
    parameters.put_parameter(Value="x" * room, **put)
refused("ValidationException", parameters.put_parameter, Name="/x", Value="x", Type="Secret")
refused("ParameterNotFound", client("ssm", "wrong").get_parameter, Name="/none")
print("OK the layer before moto refuses what AWS refuses")
