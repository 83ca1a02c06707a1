"""The names of a cluster's Services and of the pods behind headless ones, told to dnsmasq as a hosts file."""

import http.client
import os
import signal
import threading

from testbed.api import Api, ApiError

SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
DOMAIN = "svc.cluster.local"
PAUSE = 0.3  # how much later than the API a name may be there


class Names:
    """Until the process ends. A read that fails leaves the names as they were, and is tried again."""

    def __init__(self, server, path, dnsmasq):
        self._api, self._path, self._dnsmasq = Api(server.url, server.certificates), path, dnsmasq
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        told, pause = "", threading.Event()
        while not pause.wait(PAUSE):
            try:
                found = "".join(f"{address} {name}\n" for address, name in sorted(self._rows()))
            except (ApiError, OSError, http.client.HTTPException):
                continue
            if found != told:
                self._path.write_text(found, encoding="ascii")
                os.kill(self._dnsmasq, signal.SIGHUP)
                told = found

    def _rows(self):
        """{(address, name)}"""
        rows, headless = set(), set()
        for one in self._api.call("GET", "/api/v1/services")["items"]:
            name = f"{one['metadata']['name']}.{one['metadata']['namespace']}.{DOMAIN}"
            if one["spec"].get("clusterIP") == "None":
                headless.add(name)
            elif one["spec"].get("clusterIP"):
                rows.add((one["spec"]["clusterIP"], name))
        for one in self._api.call("GET", SLICES)["items"]:
            service = one["metadata"].get("labels", {}).get("kubernetes.io/service-name")
            name = f"{service}.{one['metadata']['namespace']}.{DOMAIN}"
            for endpoint in (one["endpoints"] or []) if name in headless else []:
                # Ready is what publishNotReadyAddresses makes of all of them.
                if endpoint["conditions"].get("ready") and one["addressType"] == "IPv4":
                    for address in endpoint["addresses"]:
                        rows.add((address, name))
                        if endpoint.get("hostname"):
                            rows.add((address, f"{endpoint['hostname']}.{name}"))
        return rows
