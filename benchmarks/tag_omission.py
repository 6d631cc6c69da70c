"""What people omit, and whether its rate can be estimated: composed scenes whose digits are omitted at random, whatever their size.

In the scenes of `labelproof reproduce nmn-table-1` and `-2` people omit small digits, and the missing rate is read from the highest scores,
which belong to large ones. Here one person mentions every digit with the same probability, chosen so that as many are omitted by all five
people. Everything else is as in the tables. Rows that were measured are not measured again.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from _table import RESULTS, data_folder
from labelproof.experiments import nmn

SEEDS = 5
SCENES = 5000
MENTIONED = (0.32, 0.32)  # the smallest digits and the largest
NAME = "composed scenes, omitted at random"


def main(seeds: int = SEEDS) -> None:
    record = nmn.TableRecord.open(RESULTS, "tag_omission")
    for seed in range(seeds):
        problem = replace(nmn.composed_scenes(data_folder(), seed, SCENES, mentioned=MENTIONED), name=NAME)
        for replaced in (0, 1):
            for pooling in problem.poolings.items():
                nmn.measure(record, problem, problem.noisy(replaced, seed), replaced, pooling, seed)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
