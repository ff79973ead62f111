"""The ``requests`` session for one server: its proxy and TLS context, no ``.netrc``, no redirects."""

from __future__ import annotations

import re
import ssl
import warnings
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3

from airflow_provider_alloincognito.api.methods import ApiRequest
from airflow_provider_alloincognito.api.transport.in_flight import WatchedAdapter
from airflow_provider_alloincognito.api.transport.network import Network


class ServerSession(requests.Session):
    """
    A session that only ever speaks to one server. Threads may share it.

    :param network: how the server is reached.
    :param connections: how many may be kept open.
    """

    def __init__(self, network: Network, connections: int = 1) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = network.tls.verify_mode is not ssl.CERT_NONE
        if network.proxy is not None:
            self.proxies = {"all": network.proxy.url}
        if not self.verify:
            _silence_urllib3(network)
        self.hooks["response"].append(_raise_for_proxy)
        adapter = _Adapter(network, connections)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def open(self, request: ApiRequest, token: str, timeout: float) -> requests.Response:
        """
        Send a request, and return the response as soon as its head has arrived.

        :param request: the request.
        :param token: any of the three tokens.
        :param timeout: seconds for the connection, and for each read.
        """
        # Not Session.request, which spends time on arguments that are never given here. `server_url` lets no login into
        # the URL, which requests would send instead of the token.
        sent = requests.Request(
            request.verb,
            request.url,
            {**self.headers, "Authorization": f"Bearer {token}"},
            params=urlencode(request.params, doseq=True),
            json=request.body,
            data=request.form,
            cookies=self.cookies,
            hooks=self.hooks,
        )
        return self.send(sent.prepare(), stream=True, timeout=timeout, allow_redirects=False)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Let no redirect be followed, nor its target be parsed."""


class _Adapter(WatchedAdapter):
    def __init__(self, network: Network, connections: int) -> None:
        self._network = network
        super().__init__(pool_connections=1, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._network.tls)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if self._network.proxy is not None and self._network.proxy.has_tls:
            kwargs["proxy_ssl_context"] = self._network.tls
        return super().proxy_manager_for(proxy, **kwargs, ssl_context=self._network.tls)

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        return dict(self._network.proxy.headers) if self._network.proxy else {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the context alone: requests would have it trust its own authorities as well."""


def _raise_for_proxy(response: requests.Response, **_: Any) -> None:
    """Treat a proxy's demand for a login as it is treated where the proxy connects, for ``https://``."""
    if response.status_code == requests.codes.proxy_authentication_required:
        response.close()
        raise requests.exceptions.ProxyError(str(response.status_code))


def _silence_urllib3(network: Network) -> None:
    """``network`` has warned once; urllib3 would with each connection. Others' connections keep their warnings."""
    proxy = [network.proxy.address.rpartition(":")[0].strip("[]")] if network.proxy else []
    for host in (urlsplit(network.server).hostname or "", *proxy):
        message = f"Unverified HTTPS request is being made to host '{re.escape(host)}'"
        warnings.filterwarnings("ignore", message, urllib3.exceptions.InsecureRequestWarning)
