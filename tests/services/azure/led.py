"""Leads what is meant for Azure's hosts to a server of this machine, by a transport of Microsoft's own clients.

The clients ask as they ask Azure: for https, under the names of its hosts, with the verification of challenges. Only the
last step, which would open a connection, is another one.
"""

import logging

import requests
from azure.core.pipeline.transport import RequestsTransport

# What is refused on purpose is no news.
logging.getLogger("azure").setLevel(logging.CRITICAL)

VAULT = "https://acme.vault.azure.net"


class Led(requests.adapters.HTTPAdapter):
    def __init__(self, url):
        super().__init__()
        self.url = url

    def send(self, request, **kwargs):
        scheme, rest = request.url.split("://", 1)
        host, path = rest.split("/", 1)
        if scheme != "https":
            raise ValueError(f"{request.url} is not https")
        request.headers["Host"] = host
        request.url = f"{self.url}/{path}"
        return super().send(request, **kwargs)


def transport(url):
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", Led(url))
    return RequestsTransport(session=session, session_owner=False)
