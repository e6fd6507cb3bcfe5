"""What codec.lua measures, with CPython's pickle, for comparison.

    codec.py VALUE SIZE

Prints one line of JSON: the seconds that the value takes to bytes and back with protocol 5.
"""

import array
import json
import pickle
import statistics
import sys
import time

VALUES = {
    "small_ints": lambda i: i % 100,
    "ints": lambda i: (i * 2654435761 & 0xFFFFFFFF) * 977,
    "floats": lambda i: i / 7,
    "mixed": lambda i: i if i % 3 == 0 else i / 7 if i % 3 == 1 else "word %d" % (i % 50),
    "nested": lambda i: [[i, i + 0.5], [i % 2 == 0], []],
    "records": lambda i: {"id": i, "name": "name %d" % (i % 50), "score": i / 7, "tags": [i, i]},
    "long_strings": lambda i: ("%08d" % i) * 128,
    "short_strings": lambda i: "new %010d" % i,
}


def make(value, size):
    if value == "array":
        return array.array("q", [50]) * size
    return [VALUES[value](i) for i in range(1, size + 1)]


def seconds_of(call):
    rounds = []
    for _ in range(7):
        n, took = 0, 0
        while took < 0.002:
            started = time.process_time()
            for _ in range(8):
                call()
            took += time.process_time() - started
            n += 8
        rounds.append(took / n)
    return statistics.median(rounds)


def main():
    value = make(sys.argv[1], int(sys.argv[2]))
    data = pickle.dumps(value, 5)
    there = seconds_of(lambda: pickle.dumps(value, 5))
    back = seconds_of(lambda: pickle.loads(data))
    print(json.dumps({"seconds": there + back}))


main()
