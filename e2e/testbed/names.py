"""The names of a cluster's Services and of the pods behind headless ones, told to dnsmasq as a hosts file."""

import os
import signal

from testbed.api import Api
from testbed.following import follow

SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
DOMAIN = "svc.cluster.local"


class Names:
    def __init__(self, server, path, dnsmasq):
        self._api, self._path, self._dnsmasq = Api(server.url, server.certificates), path, dnsmasq
        follow(self._found, self._tell)

    def _found(self):
        return "".join(f"{address} {name}\n" for address, name in sorted(self._rows()))

    def _tell(self, found):
        self._path.write_text(found, encoding="ascii")
        os.kill(self._dnsmasq, signal.SIGHUP)

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
