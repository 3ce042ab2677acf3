from __future__ import annotations

import pytest

from streams.live.broker_hints import explain, is_final

PROPERTIES = {
    "bootstrap.servers": "k1:9093",
    "security.protocol": "SASL_SSL",
    "sasl.username": "worker",
    "sasl.mechanisms": "SCRAM-SHA-512",
    "ssl.ca.location": "ca.pem",
}


@pytest.mark.parametrize(
    ("said", "heard", "final"),
    [
        ("SASL authentication error: Authentication failed during authentication", "login refused: user 'worker', mechanism", True),
        ("unsupported SASL mechanism: broker's supported mechanisms: PLAIN", "does not offer sasl.mechanisms=SCRAM-SHA-512", True),
        ("SSL handshake failed: certificate verify failed", "is not signed by ssl.ca.location=ca.pem", True),
        ("SSL alert number 42", "the broker refused our client certificate (none given)", True),
        (
            "closed by peer: verify that security.protocol is correctly configured ... APIVERSION",
            "security.protocol=SASL_SSL does not fit",
            True,
        ),
        ("Failed to resolve 'k1:9093': Name or service not known", "no such host in bootstrap.servers=k1:9093", False),
        ("Connect to ipv4#127.0.0.1:9093 failed: Connection refused", "nothing answers at bootstrap.servers=k1:9093", False),
        ("something new", "cannot reach k1:9093: something new", False),
    ],
)
def test_what_librdkafka_says_is_told_as_what_to_change(said: str, heard: str, final: bool) -> None:
    line = explain([said], PROPERTIES)
    assert heard in line
    assert "\n" not in line
    assert is_final(said) is final


def test_the_more_telling_of_two_messages_wins() -> None:
    assert "login refused" in explain(["2/2 brokers are down", "Connection refused", "SASL authentication error"], PROPERTIES)
