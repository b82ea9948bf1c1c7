"""Which hosts are this machine: where keys and prompts may go unencrypted, and who may ask."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a name or address, an IPv6 one with or without brackets, is of this machine alone.

    Of names only ``localhost``: those below it, such as ``app.localhost``, are looked up in the
    network by many systems, and another machine may answer to them.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
