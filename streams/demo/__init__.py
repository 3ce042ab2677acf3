"""The demo: a real local Kafka, seeded traffic with known faults, the live worker, and a verdict."""
