"""What crosses a boundary: events, blocks, alerts, references, configuration, snapshots. Frozen data, no behaviour of its own."""
