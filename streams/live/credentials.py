"""One block ``kafka.properties`` in librdkafka's names, for both clients: as it is for confluent-kafka, translated for Faust."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from faust.auth import Credentials, SASLCredentials, SSLCredentials

from schemas.config import Kafka
from schemas.errors import ConfigError, Problem

__all__ = ["faust_credentials", "librdkafka"]

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def librdkafka(kafka: Kafka, **more: Any) -> dict[str, Any]:
    """Return the properties of a confluent-kafka client.

    Examples
    --------
    >>> librdkafka(Kafka(bootstrap_servers="k1:9092", properties={"sasl.mechanism": "PLAIN"}))
    {'bootstrap.servers': 'k1:9092', 'sasl.mechanisms': 'PLAIN'}
    """
    given = {"sasl.mechanisms" if name == "sasl.mechanism" else name: value for name, value in kafka.properties.items()}
    return {"bootstrap.servers": kafka.bootstrap_servers, **given, **more}


def faust_credentials(kafka: Kafka) -> Credentials | None:
    """Translate the properties for Faust; None for an unprotected cluster.

    Raises
    ------
    ConfigError
        A protocol or mechanism that the live worker doesn't speak, a missing user, a PEM file that can't be read.
    """
    given = librdkafka(kafka)
    protocol = str(given.get("security.protocol", "PLAINTEXT")).upper()
    if protocol not in PROTOCOLS:
        raise _problem("security.protocol", f"found {protocol!r}, expected one of {', '.join(PROTOCOLS)}")
    if protocol == "PLAINTEXT":
        return None
    context = _ssl_context(given) if protocol.endswith("SSL") else None
    if protocol == "SSL":
        return SSLCredentials(context=context)
    mechanism = str(given.get("sasl.mechanisms", "PLAIN")).upper()
    if mechanism not in MECHANISMS:
        raise _problem("sasl.mechanisms", f"found {mechanism!r}, expected one of {', '.join(MECHANISMS)}")
    for name in ("sasl.username", "sasl.password"):
        if not given.get(name):
            raise _problem(name, f"is missing, and security.protocol={protocol} needs it")
    return SASLCredentials(
        username=str(given["sasl.username"]), password=str(given["sasl.password"]), ssl_context=context, mechanism=mechanism
    )


def _ssl_context(given: Mapping[str, Any]) -> ssl.SSLContext:
    name = "ssl.ca.location"
    try:
        context = ssl.create_default_context(cafile=given.get("ssl.ca.location"), cadata=given.get("ssl.ca.pem"))
        name = "ssl.certificate.location"
        if certificate := given.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, given.get("ssl.key.location"), given.get("ssl.key.password"))
    except (OSError, ssl.SSLError) as error:
        raise _problem(name, f"{given.get(name)!r} can't be used: {error}; expected a PEM file") from None
    if str(given.get("enable.ssl.certificate.verification", "true")).lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif str(given.get("ssl.endpoint.identification.algorithm", "https")).lower() in ("none", ""):
        context.check_hostname = False
    return context


def _problem(name: str, message: str) -> ConfigError:
    return ConfigError([Problem("configuration", f"kafka.properties.{name}", message)])
