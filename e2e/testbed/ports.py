"""Ports of 127.0.0.1 that belong to one process, as tests/loopback/reservation.h reserves them: also while nothing listens."""

import random
import socket

# Between the kubelet's ports and those that the kernel gives to outgoing connections and to listeners on port 0.
_PORTS = range(10500, 16000)
_claims = []  # abstract Unix sockets, which go with the process


def _is_free(port):
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port():
    """A port that no other call gives, in this process or another, until this process ends."""
    for port in random.sample(_PORTS, len(_PORTS)):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0holdfast-test/127.0.0.1:{port}")
        except OSError:
            claim.close()
            continue
        if _is_free(port):
            _claims.append(claim)
            return port
        claim.close()
    raise RuntimeError("every port is taken")
