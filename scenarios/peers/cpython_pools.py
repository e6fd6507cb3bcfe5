"""The reference experiment (../fixed_data.lua) in CPython, for cpython_pools.lua, which runs it beside rig's pools.

    cpython_pools.py builtin|custom SIZE WORKERS MAPS

Prints one line of JSON. `builtin` is multiprocessing.Pool with an initializer; `custom` is a pool made by hand out of
processes and three queues. Timed is what rig times: from the start of the pool through its close, without making data.
"""

import json
import multiprocessing
import sys
import time

# Everywhere, and not what a version of Python or a system prefers: only so is the data inherited.
context = multiprocessing.get_context("fork")

fixed = None


def task(item):
    total = 0
    for _ in range(9999):
        total += len(item)
    return total


def keep_fixed(data, ready, number):
    global fixed
    fixed = data
    ready[number] = 1


class Builtin:
    def __init__(self, data, workers):
        self.ready = context.Array("b", workers, lock=False)
        numbers = context.Value("i", 0)
        self.pool = context.Pool(workers, initializer=self.initialize, initargs=(data, self.ready, numbers))

    @staticmethod
    def initialize(data, ready, numbers):
        with numbers.get_lock():
            number = numbers.value
            numbers.value += 1
        keep_fixed(data, ready, number)

    def map(self, items):
        return self.pool.map(task, items)

    def close(self):
        self.pool.close()
        self.pool.join()

    def count_broken_pipes(self):
        return 0


def work(number, init_queue, input_queue, output_queue, ready):
    keep_fixed(init_queue.get(), ready, number)
    while True:
        numbered = input_queue.get()
        if numbered is None:
            return
        index, item = numbered
        output_queue.put((index, task(item)))


class Custom:
    def __init__(self, data, workers):
        self.ready = context.Array("b", workers, lock=False)
        self.broken_pipes = 0
        self.init_queue, self.input_queue, self.output_queue = (context.Queue() for _ in range(3))
        # A queue's thread prints a traceback where its pipe breaks; here such errors are counted.
        self.init_queue._on_queue_feeder_error = self.note_error
        queues = (self.init_queue, self.input_queue, self.output_queue)
        self.workers = [context.Process(target=work, args=(i, *queues, self.ready)) for i in range(workers)]
        for worker in self.workers:
            worker.start()
        for _ in self.workers:
            self.init_queue.put(data)

    def note_error(self, error, _):
        if not isinstance(error, BrokenPipeError):
            raise error
        self.broken_pipes += 1

    def map(self, items):
        for numbered in enumerate(items):
            self.input_queue.put(numbered)
        results = [None] * len(items)
        for _ in items:
            index, result = self.output_queue.get()
            results[index] = result
        return results

    def close(self):
        """Whoever holds the data ends by itself; whoever still waits for it is not needed any more."""
        waiting = [worker for worker, is_ready in zip(self.workers, self.ready) if not is_ready]
        for _ in self.workers:
            self.input_queue.put(None)
        for worker in self.workers:
            if worker not in waiting:
                worker.join()
        for worker in waiting:
            worker.terminate()
            worker.join()
        self.init_queue._reader.close()  # the last reader: what is still being written now meets a broken pipe
        self.init_queue.close()
        self.input_queue.cancel_join_thread()

    def count_broken_pipes(self):
        self.init_queue.join_thread()
        return self.broken_pipes


def main(kind, size, workers, maps):
    data = [50] * size
    items = [[1] * 100 for _ in range(100)]
    results = []
    started = time.perf_counter()
    pool = {"builtin": Builtin, "custom": Custom}[kind](data, workers)
    for _ in range(maps):
        results.append(sum(pool.map(items)))
    ready = sum(pool.ready)
    pool.close()
    seconds = time.perf_counter() - started
    print(json.dumps({
        "s_per_iteration": seconds / maps,
        "results": results,
        "ready": ready,
        "broken_pipes": pool.count_broken_pipes(),
    }))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
