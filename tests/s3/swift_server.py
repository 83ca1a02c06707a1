#!/usr/bin/python3
"""swift_server.py FOLDER: an S3 server on 127.0.0.1, OpenStack Swift with its s3api, until it is ended.

All of Swift in one process, each of its servers on a port that the kernel chose: the proxy that speaks S3, and behind it the
account, container and object servers over HTTP, as in an installation. Objects are in memory, listings in SQLite below FOLDER.
FOLDER/settings.json: {"users": {access key: secret key}, "region", "certificate", "key"} - with the last two it speaks TLS.
FOLDER/port appears when it answers.

s3api 2.30 refuses "If-None-Match: *" with 501, though the servers behind it know it. Buckets called conditional-... are of a
server that does it, those called careless-... of one that does not look at it, as there are of both kinds.
"""

import array
import json
import os
import pathlib
import sys

import eventlet

eventlet.monkey_patch()

# Behind the patch: they take sockets and threads as they find them.
from eventlet import wsgi  # pylint: disable=wrong-import-position
from swift.common import utils  # pylint: disable=wrong-import-position
from swift.common.middleware.s3api.s3request import S3Request  # pylint: disable=wrong-import-position
from swift.common.ring import RingData  # pylint: disable=wrong-import-position
from swift.common.wsgi import loadapp  # pylint: disable=wrong-import-position

# Nothing inside may give up because the machine is busy: a listing would then lack an object until somebody repairs it.
PATIENCE = 120

INNER = """
[DEFAULT]
devices = {folder}/devices
mount_check = false
swift_dir = {folder}
db_preallocation = off
fallocate_reserve = 0
log_level = ERROR
conn_timeout = {patience}
node_timeout = {patience}
container_update_timeout = {patience}

[app:main]
use = egg:swift#{kind}
"""

PROXY = """
[DEFAULT]
swift_dir = {folder}
log_level = ERROR

[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats s3api tempauth copy slo symlink proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = {patience}
node_timeout = {patience}
recoverable_node_timeout = {patience}

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:symlink]
use = egg:swift#symlink

[filter:s3api]
use = egg:swift#s3api
location = {region}
# As small as a test likes; 5 MiB elsewhere.
min_segment_size = 1

[filter:tempauth]
use = egg:swift#tempauth
"""


class Cache:
    """What Swift asks of memcached, for one process that does not live long."""

    def __init__(self):
        self.rows = {}

    def get(self, key, raise_on_error=False):  # pylint: disable=unused-argument
        return self.rows.get(key)

    def set(self, key, value, **_):
        self.rows[key] = value

    def delete(self, key, **_):
        self.rows.pop(key, None)


def take_conditions():
    header, check, pass_on = "HTTP_IF_NONE_MATCH", S3Request._validate_headers, S3Request.to_swift_req

    def check_the_rest(self):
        hidden = self.environ["PATH_INFO"].startswith(("/conditional-", "/careless-"))
        condition = self.environ.pop(header, None) if hidden else None
        check(self)
        if condition:  # it was signed
            self.environ[header] = condition

    def pass_on_or_forget(self, *args, **kwargs):
        request = pass_on(self, *args, **kwargs)
        if self.environ["PATH_INFO"].startswith("/careless-"):
            request.environ.pop(header, None)
        return request

    S3Request._validate_headers, S3Request.to_swift_req = check_the_rest, pass_on_or_forget


def serve(listener, app, certificate=None):
    if certificate:
        listener = eventlet.wrap_ssl(listener, certfile=certificate[0], keyfile=certificate[1], server_side=True)
    # Its access log is of no use to anybody, and its buffers would hold small answers back.
    eventlet.spawn(wsgi.server, listener, app, log=open(os.devnull, "w", encoding="ascii"), log_output=False,
                   max_size=1024, socket_timeout=None)


def start_inner(folder, kind, egg):
    listener = eventlet.listen(("127.0.0.1", 0))
    conf = folder / f"{kind}.conf"
    conf.write_text(INNER.format(folder=folder, patience=PATIENCE, kind=egg), encoding="utf-8")
    device = {"id": 0, "zone": 0, "region": 1, "device": "disk", "ip": "127.0.0.1", "port": listener.getsockname()[1],
              "weight": 1.0, "replication_ip": "127.0.0.1", "replication_port": listener.getsockname()[1]}
    # One replica, one part.
    RingData([array.array("H", [0])], [device], 32).save(str(folder / f"{kind}.ring.gz"))
    # Only now: the container and object servers read the rings of those in front.
    serve(listener, loadapp(str(conf)))


def main():
    folder = pathlib.Path(sys.argv[1])
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    (folder / "devices" / "disk").mkdir(parents=True, exist_ok=True)
    take_conditions()
    utils.HASH_PATH_PREFIX, utils.HASH_PATH_SUFFIX = b"holdfast", b"test"
    for kind, egg in (("account", "account"), ("container", "container"), ("object", "mem_object")):
        start_inner(folder, kind, egg)
    conf = PROXY.format(folder=folder, patience=PATIENCE, region=settings.get("region", "us-east-1"))
    for access_key, secret_key in settings["users"].items():
        account, user = access_key.split(":")
        conf += f"user_{account}_{user} = {secret_key} .admin\n"
    (folder / "proxy.conf").write_text(conf, encoding="utf-8")
    app, cache, creating = loadapp(str(folder / "proxy.conf")), Cache(), eventlet.semaphore.Semaphore()

    def cached(environment, start_response):
        environment["swift.cache"] = cache
        if "HTTP_IF_NONE_MATCH" in environment:
            # An object server looks for the object before it has the new one: one after the other, as elsewhere.
            with creating:
                return app(environment, start_response)
        return app(environment, start_response)

    listener = eventlet.listen(("127.0.0.1", 0))
    port = listener.getsockname()[1]  # TLS takes the socket away from it
    certificate = (settings["certificate"], settings["key"]) if "certificate" in settings else None
    serve(listener, cached, certificate)
    # Whole or not there, for who waits for it.
    (folder / "port.new").write_text(str(port), encoding="ascii")
    (folder / "port.new").rename(folder / "port")
    while True:
        eventlet.sleep(3600)


if __name__ == "__main__":
    main()
