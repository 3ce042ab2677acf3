from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from schemas.config import Kafka
from schemas.errors import ConfigError
from streams.live.credentials import faust_credentials, librdkafka


def kafka(**properties: Any) -> Kafka:
    return Kafka(bootstrap_servers="k1:9093", properties={name.replace("__", "."): value for name, value in properties.items()})


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    subject = ["-subj", "/CN=test", "-days", "1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject], cwd=directory, check=True, capture_output=True)
    return directory


def test_an_unprotected_cluster_needs_none() -> None:
    assert faust_credentials(kafka()) is None


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_user_and_password(mechanism: str) -> None:
    given = kafka(security__protocol="SASL_PLAINTEXT", sasl__mechanism=mechanism, sasl__username="u", sasl__password="p")
    auth = credentials_to_aiokafka_auth(faust_credentials(given))
    assert (auth["security_protocol"], auth["sasl_mechanism"]) == ("SASL_PLAINTEXT", mechanism)
    assert (auth["sasl_plain_username"], auth["sasl_plain_password"]) == ("u", "p")


def test_user_and_password_over_tls(pem: Path) -> None:
    tls = {"ssl__ca__location": str(pem / "cert.pem")}
    made = faust_credentials(kafka(security__protocol="SASL_SSL", sasl__username="u", sasl__password="p", **tls))
    assert isinstance(made, SASLCredentials)
    assert credentials_to_aiokafka_auth(made)["security_protocol"] == "SASL_SSL"
    assert made.ssl_context is not None
    assert made.ssl_context.check_hostname


def test_a_client_certificate(pem: Path) -> None:
    paths = {"ssl__certificate__location": str(pem / "cert.pem"), "ssl__key__location": str(pem / "key.pem")}
    made = faust_credentials(kafka(security__protocol="ssl", ssl__endpoint__identification__algorithm="none", **paths))
    assert isinstance(made, SSLCredentials)
    assert not made.context.check_hostname


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"security__protocol": "TLS"}, "kafka.properties.security.protocol: found 'TLS', expected one of PLAINTEXT, SSL"),
        ({"security__protocol": "SASL_SSL", "sasl__mechanism": "GSSAPI"}, "sasl.mechanisms: found 'GSSAPI', expected one of PLAIN"),
        ({"security__protocol": "SASL_SSL", "sasl__username": "u"}, "sasl.password: is missing"),
        ({"security__protocol": "SSL", "ssl__ca__location": "/no/such.pem"}, "ssl.ca.location: '/no/such.pem' can't be used"),
    ],
)
def test_what_cannot_be_used_is_said_in_the_users_terms(properties: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        faust_credentials(kafka(**properties))
    assert message in str(caught.value)


def test_a_password_is_in_no_message() -> None:
    with pytest.raises(ConfigError) as caught:
        faust_credentials(kafka(security__protocol="SASL_SSL", sasl__password="hunter2"))
    assert "hunter2" not in str(caught.value)


def test_the_other_client_gets_the_block_as_it_is() -> None:
    assert librdkafka(kafka(ssl__ca__location="ca.pem")) == {"bootstrap.servers": "k1:9093", "ssl.ca.location": "ca.pem"}
