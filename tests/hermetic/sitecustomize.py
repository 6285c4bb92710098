"""Keeps the outside network off, in the process that imports this and in its Python children.

tests/conftest.py runs it and puts its folder on PYTHONPATH, from where every Python that a test
starts imports it by itself. This machine's own addresses stay reachable.
"""

import sys
from ipaddress import ip_address


def _is_outside(host: object) -> bool:
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("ascii", "replace")
    if not isinstance(host, str) or host in ("", "localhost"):
        return False
    try:
        return not ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return True  # a name that somebody else would have to resolve


def _refuse(event: str, arguments: tuple) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if _is_outside(host):
        message = f"A test reached for the network: {event} {host!r}"
        raise RuntimeError(message)


sys.addaudithook(_refuse)
