"""Makes with boto3 what rolecall is to find: a secret and a parameter of others', without a value.

Usage: before.py URL
"""

import sys

import boto3


def client(service):
    return boto3.client(
        service, endpoint_url=sys.argv[1], region_name="eu-central-1", aws_access_key_id="AKIDEXAMPLEOFSTANDIN",
        aws_secret_access_key="of/the+stand-in")


client("secretsmanager").create_secret(Name="mondoo/was", SecretString="{}")
client("ssm").put_parameter(
    Name="/mondoo/was", Value="{}", Type="SecureString", Tier="Advanced", KeyId="alias/ours", Description="of ci",
    AllowedPattern=".*")
