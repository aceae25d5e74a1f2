"""Puts with azure-keyvault-secrets a secret that rolecall writes over: one that holds nothing, with tags.

Usage: before.py URL
"""

import sys

from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

from led import VAULT, transport

URL = sys.argv[1]
TENANT = "5f0c2d1e-0000-4000-8000-00000000acbe"
CLIENT = "c11e0000-0000-4000-8000-0000000000c1"
SECRET = "of~the+stand-in/secret=1&x"

login = ClientSecretCredential(TENANT, CLIENT, SECRET, transport=transport(URL), disable_instance_discovery=True)
client = SecretClient(VAULT, login, transport=transport(URL), api_version="7.4")
client.set_secret("mondoo-was", "{}", content_type="application/json", tags={"team": "security"})
