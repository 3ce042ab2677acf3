"""What librdkafka says when it can't reach a broker, put into a line that says what to change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["explain", "is_final"]

#: (what librdkafka says, what the user should hear); the first that matches wins. All but the last two are final: waiting won't help.
_HINTS = (
    (r"unsupported SASL mechanism", "the broker does not offer sasl.mechanisms={mechanism}: {why}"),
    (
        r"SASL authentication error|SASL .* failed|invalid credentials|Authentication failed",
        "login refused: user {user!r}, mechanism {mechanism}: {why}",
    ),
    (
        r"certificate verify failed|unable to get local issuer|self.signed certificate",
        "the broker's certificate is not signed by ssl.ca.location={ca}: {why}",
    ),
    (r"hostname mismatch|IP address mismatch", "the broker's certificate is for another host name than {servers}: {why}"),
    (
        r"certificate required|bad certificate|unknown ca|handshake failure|certificate_unknown|alert number",
        "the broker refused our client certificate ({certificate}): {why}",
    ),
    (
        r"security.protocol being configured|closed by peer.*APIVERSION|Disconnected while requesting ApiVersion|wrong version number"
        r"|ssl3_get_record|packet length too long|connecting to a PLAINTEXT broker listener",
        "security.protocol={protocol} does not fit this port of {servers}: {why}",
    ),
    (r"Failed to resolve|Name or service not known", "no such host in bootstrap.servers={servers}: {why}"),
    (
        r"Connection refused|timed out|No route|all broker connections are down|Broker transport failure",
        "nothing answers at bootstrap.servers={servers}: {why}",
    ),
)
_FINAL = re.compile("|".join(pattern for pattern, _ in _HINTS[:-2]), re.IGNORECASE)


def is_final(message: str) -> bool:
    """Whether waiting can't make it better."""
    return _FINAL.search(message) is not None


def explain(messages: Sequence[str], properties: Mapping[str, Any]) -> str:
    """Return the line for what librdkafka has said.

    Parameters
    ----------
    messages : sequence of str
        Its errors and log lines, oldest first.
    properties : mapping
        The client's properties, librdkafka names.

    Examples
    --------
    >>> explain(["sasl_ssl://k1:9093/bootstrap: Failed to resolve 'k1:9093'"], {"bootstrap.servers": "k1:9093"})
    "no such host in bootstrap.servers=k1:9093: Failed to resolve 'k1:9093'"
    """
    context = {
        "user": properties.get("sasl.username"),
        "mechanism": properties.get("sasl.mechanisms", "PLAIN"),
        "ca": properties.get("ssl.ca.location", "(the system's)"),
        "certificate": properties.get("ssl.certificate.location", "none given"),
        "servers": properties["bootstrap.servers"],
        "protocol": properties.get("security.protocol", "PLAINTEXT"),
    }
    for pattern, line in _HINTS:
        for message in messages:
            if re.search(pattern, message, re.IGNORECASE):
                return line.format(why=re.sub(r"^\S+://\S+?: ", "", message)[:200], **context)
    return f"cannot reach {context['servers']}: {(messages or ['no reason given'])[0][:200]}"
