"""The images that a node has, for nodes to pull as from a registry: what the OCI distribution specification has for pulling, and
nothing else. What containerd keeps is read from its folder."""

import http.server
import json
import pathlib
import re
import subprocess
import threading

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"  # of one that does not say what it is
MANIFESTS, BLOBS = re.compile(r"/v2/.+/([^/]+)/manifests/(.+)"), re.compile(r"/v2/.+/blobs/(sha256:[0-9a-f]{64})")


class Registry:
    """For `with`, which gives it; `asked` are the images (repository's last word, tag or digest) whose manifests were asked for."""

    def __init__(self, address, runtime, containerd):
        self._runtime, self._blobs = runtime, pathlib.Path(containerd, "io.containerd.content.v1.content/blobs/sha256")
        self.asked = set()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.answer(self, with_body=True)

            def do_HEAD(self):
                registry.answer(self, with_body=False)

            def log_message(self, *_):
                """Who fails says so."""

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.host = f"{address}:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _digest(self, image, reference):
        if reference.startswith("sha256:"):
            return reference
        told = subprocess.run([*self._runtime, "images", "list", f"name==docker.io/library/{image}:{reference}"], capture_output=True,
                              text=True, check=True).stdout
        found = re.search(r"sha256:[0-9a-f]{64}", told)
        return found[0] if found else "sha256:none"

    def answer(self, request, with_body):
        digest = None
        if manifest := MANIFESTS.fullmatch(request.path):
            self.asked.add(manifest[1])
            digest = self._digest(*manifest.groups())
        elif blob := BLOBS.fullmatch(request.path):
            digest = blob[1]
        path = self._blobs / (digest or "").removeprefix("sha256:")
        there = digest and path.is_file()
        body = path.read_bytes() if there else b""
        request.send_response(200 if there or request.path == "/v2/" else 404)
        if there and manifest:
            request.send_header("Content-Type", json.loads(body).get("mediaType", OCI_MANIFEST))
        if there:
            request.send_header("Docker-Content-Digest", digest)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if with_body:
            request.wfile.write(body)
