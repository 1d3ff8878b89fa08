"""Do many tasks in worker processes, on this machine's cores or on a Dask cluster: for studies and for grading.

Both ways are generators of (task, outcome), in the order in which tasks finish; a task is a tuple of arguments, an
outcome what work(*task) returned, or {"error": text} where there is none.
"""

import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from pathlib import Path

from course_utils import studies

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
LINE_EVERY = 10.0  # seconds between two lines on the progress where there is no terminal
DASK_TIMEOUT = 10.0  # seconds to wait for a scheduler to answer
IN_HAND = 4  # tasks that a Dask worker has at most, the one at work included


class WorkersError(Exception):
    """There are no workers, or no more; the message says why."""


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def on_this_machine(work, tasks, jobs=None):
    """In a pool of processes. When one dies, it takes the pool along: what was in flight is tried again, one by one."""
    waiting, suspects = deque(tasks), deque()
    while waiting:
        for task, outcome in one_pool(work, waiting, jobs or os.cpu_count()):
            if outcome is None:
                suspects.append(task)
            else:
                yield task, outcome
    while suspects:
        for task, outcome in one_pool(work, suspects, 1):
            yield task, outcome or {"error": "its process died twice (killed, or out of memory?)"}


def one_pool(work, waiting: deque, jobs: int):
    """Run tasks until none is waiting or the pool breaks; then the outcome of those in flight is None."""
    os.environ.update(ONE_THREAD)  # for the workers, before they import anything
    others = set(multiprocessing.active_children())
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(waiting)), mp_context=spawn, initializer=end_with_parent) as pool:
        flying, broken = {}, False
        try:
            while flying or (waiting and not broken):
                while waiting and len(flying) < jobs and not broken:
                    try:
                        with interrupts_held():
                            flying[pool.submit(work, *waiting[0])] = waiting[0]
                        waiting.popleft()
                    except BrokenProcessPool:
                        broken = True
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    error = future.exception()
                    broken |= isinstance(error, BrokenProcessPool)
                    outcome = {"error": studies.said(error, Path())} if error else future.result()
                    yield flying.pop(future), None if isinstance(error, BrokenProcessPool) else outcome
        except BaseException:  # Ctrl-C, or whoever collects has given up: rows in flight are not waited for
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
            raise


@contextmanager
def interrupts_held():
    """A worker started meanwhile never sees Ctrl-C, which the terminal sends to it too; we see it a moment later."""
    held = []
    handler = signal.signal(signal.SIGINT, lambda *_: held.append(True))  # another thread may get what is blocked here
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the worker inherits this
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
    if held:
        raise KeyboardInterrupt


def end_with_parent() -> None:
    """In a worker: do not outlive a runner that was killed."""
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def on_dask(work, tasks, address: str):
    """On the workers of a Dask scheduler, which gives the rows of a worker that dies to the others."""
    from distributed import Client, KilledWorker, as_completed
    from distributed.client import FutureCancelledError

    try:
        client = Client(address, timeout=DASK_TIMEOUT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise WorkersError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if any(worker["nthreads"] > 1 for worker in workers):
            raise WorkersError("the Dask workers must have one thread each: dask worker --nworkers N --nthreads 1 …")
        tell(f"{len(workers)} Dask workers" + ("" if workers else "; the work waits until there is one"))
        rest, futures = iter(tasks), {}

        def submit(n):
            """A few at a time: thousands of notebooks need not lie in the scheduler's memory."""
            new = {client.submit(work, *task, pure=False): task for task in itertools.islice(rest, n)}
            futures.update(new)
            return list(new)

        try:
            finished = as_completed(submit(max(1, len(workers)) * IN_HAND), loop=client.loop)
            for future in finished:
                try:
                    outcome = future.result()  # waits again if the worker died with the task in its memory
                except KilledWorker:
                    outcome = {"error": "its workers died, one after the other (killed, or out of memory?)"}
                except FutureCancelledError:
                    raise WorkersError(f"the scheduler at {address} is gone") from None
                except Exception as error:
                    outcome = {"error": studies.said(error, Path())}
                finished.update(submit(1))
                yield futures.pop(future), outcome
        finally:
            client.cancel(list(futures))


def watched(backend, total: int, unit: str):
    """The same pairs, with a bar that tells the time left; where there is no terminal, with a line now and then."""
    from tqdm import tqdm

    start = told = time.monotonic()
    with closing(backend), tqdm(total=total, unit=unit, smoothing=0, disable=not sys.stderr.isatty()) as bar:
        for number, pair in enumerate(backend, start=1):
            yield pair
            bar.update()
            now = time.monotonic()
            if bar.disable and (now - told > LINE_EVERY or number == total):
                left = tqdm.format_interval((now - start) / number * (total - number))
                tell(f"{number} of {total} {unit}s done, about {left} left")
                told = now
