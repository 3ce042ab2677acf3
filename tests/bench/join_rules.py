"""Random worlds through the join, read in several ways, against what the rules say row by row.

    python -m tests.bench.join_rules --seeds 10000

Prints a table of what the worlds held, so that one sees that every rule was tried; a difference is told with its seed, cut to
the fewest rows that show it, and ends the program with 1.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from random import Random
from time import perf_counter

from tests.bench.tables import markdown
from tests.unit.engine.join.oracle import meaning
from tests.unit.engine.join.worlds import World, difference, random_world, read


def differs(world: World, ways: range) -> str | None:
    """What is wrong with the first reading that is; None when all are right."""
    meant = meaning(world.rules, world.predictions, world.labels)
    return next((found for way in ways if (found := difference(meant, read(world, Random(way))))), None)


def least(world: World, ways: range) -> World:
    """The world without each row that is not needed for the difference."""
    for name in ("predictions", "labels"):
        at = 0
        while at < len(rows := getattr(world, name)):
            smaller = world._replace(**{name: rows[:at] + rows[at + 1 :]})
            if differs(smaller, ways):
                world = smaller
            else:
                at += 1
    return world


def main() -> None:
    """Run the worlds."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.join_rules", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="worlds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--ways", type=int, default=3, help="readings of each world")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    begin = perf_counter()
    for seed in range(options.first, options.first + options.seeds):
        world = random_world(seed)
        ways = range(seed * options.ways, (seed + 1) * options.ways)
        if differs(world, ways):
            # Other cuts of a smaller world may show it better: twenty ways are tried.
            world = least(world, range(ways.start, ways.start + 20))
            print(f"seed {seed}: {differs(world, range(ways.start, ways.start + 20))}", world.rules, sep="\n")
            print(*world.predictions, *world.labels, sep="\n")
            sys.exit(1)
        counts += meaning(world.rules, world.predictions, world.labels).counts
    seconds = perf_counter() - begin
    print(markdown(["counted", "times"], [[name, f"{count:,}"] for name, count in sorted(counts.items())]), end="\n\n")
    runs = options.seeds * options.ways
    row = [f"{options.seeds:,}", f"{runs:,}", f"{seconds:.0f}", f"{options.seeds / seconds:.1f}", "0"]
    print(markdown(["seeds", "readings", "s", "seeds a second", "differences"], [row]))


if __name__ == "__main__":
    main()
