"""What pools.lua measures of rig's pools, with CPython's: multiprocessing.Pool and concurrent.futures' executor.

    pools.py pool|executor map|map_1|round_trip|payload|life COUNT WORKERS

Prints one line of JSON: the seconds that each of COUNT tasks (round trips, payloads, lives of a pool) took, whether what
came back is right, and the version. Timed here, after a warm-up, so that the start of the interpreter is in no figure.
"""

import concurrent.futures
import json
import multiprocessing
import platform
import sys
import time

# Everywhere, and not what a version of Python or a system prefers.
context = multiprocessing.get_context("fork")

EXECUTORS_CHUNK = 1000  # its own default is 1, which is measured as map_1


def identity(item):
    return item


class Pool:
    def __init__(self, workers):
        self.pool = context.Pool(workers)

    def map(self, items, chunk):
        return self.pool.map(identity, items, chunk)

    def apply(self, item):
        return self.pool.apply(identity, (item,))

    def close(self):
        self.pool.close()
        self.pool.join()


class Executor:
    def __init__(self, workers):
        self.pool = concurrent.futures.ProcessPoolExecutor(workers, mp_context=context)
        list(self.pool.map(identity, range(workers)))  # it starts its workers only when there is something to do

    def map(self, items, chunk):
        return list(self.pool.map(identity, items, chunksize=chunk or EXECUTORS_CHUNK))

    def apply(self, item):
        return self.pool.submit(identity, item).result()

    def close(self):
        self.pool.shutdown()


def run(kind, what, count, workers):
    """Does it all once: whether what came back is right. A pool is made, and closed, outside of the time."""
    if what == "life":
        started = time.perf_counter()
        for _ in range(count):
            kind(workers).close()
        return time.perf_counter() - started, True
    pool = kind(workers)
    chunk = 1 if what == "map_1" else None
    item = b"x" * (1 << 20) if what == "payload" else 7
    items = list(range(count))
    pool.map(items[: max(1, count // 10)], chunk)  # warm
    pool.apply(item)
    started = time.perf_counter()
    if what in ("map", "map_1"):
        right = pool.map(items, chunk) == items
    else:
        right = all(pool.apply(item) == item for _ in range(count))
    seconds = time.perf_counter() - started
    pool.close()
    return seconds, right


def main(kind, what, count, workers):
    seconds, right = run({"pool": Pool, "executor": Executor}[kind], what, int(count), int(workers))
    print(json.dumps({"seconds": seconds / int(count), "right": right, "version": platform.python_version()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
