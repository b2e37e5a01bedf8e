"""Whose request it is where proxies stand in front: the address that the nearest trusted proxy says, and no other.

A header is what its sender writes. So `X-Forwarded-For` and `X-Forwarded-Proto` are read only where
ROLLBOOK_TRUSTED_PROXIES says which proxies there are, and only as far back as those wrote them themselves.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Trusted = int | tuple[IPv4Network | IPv6Network, ...]
NONE: Trusted = 0


def trusted_proxies(text: str) -> Trusted:
    """What ROLLBOOK_TRUSTED_PROXIES says: how many proxies there are, or which addresses they have.

    Raises ValueError naming the setting.
    """
    text = text.strip()
    if text.isascii() and text.isdigit() and int(text) < 100:
        return int(text)
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip()) or NONE
    except ValueError as error:
        raise ValueError(
            f"ROLLBOOK_TRUSTED_PROXIES must be the number of proxies in front, or their addresses, such as "
            f"10.0.0.0/8,192.0.2.7; not {text!r} ({error})."
        ) from None


def client_address(peer: str, forwarded: str, trusted: Trusted) -> str:
    """The address that a request comes from. peer: who is connected. forwarded: the header X-Forwarded-For."""
    if not trusted or not forwarded:
        return peer
    hops = [*(part.strip() for part in forwarded.split(",")), peer]  # each was written by the one after it
    if isinstance(trusted, int):
        # A shorter chain did not come through all of them: what it says, anybody may have written.
        said = _address(hops[-1 - trusted]) if len(hops) > trusted else None
        return str(said) if said else peer
    client = peer
    for hop in reversed(hops):
        found = _address(hop)
        if found is None:
            break
        client = str(found)
        if not any(found in network for network in trusted):
            break
    return client


def came_by_https(peer: str, forwarded: str, said: str, trusted: Trusted) -> bool:
    """Whether the browser's own line is encrypted, as the nearest trusted proxy says. said: X-Forwarded-Proto.

    Where no proxy is trusted, or the request did not come through one, nobody is believed.
    """
    if isinstance(trusted, int):
        through = bool(trusted) and len([part for part in forwarded.split(",") if part.strip()]) >= trusted
    else:
        found = _address(peer)
        through = found is not None and any(found in network for network in trusted)
    return through and said.rpartition(",")[2].strip().lower() == "https"


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it, perhaps with a port; None for what is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
