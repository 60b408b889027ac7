"""Batches of a pipeline, on the devices before they are needed."""

from collections.abc import Generator, Iterator, Mapping, Sequence

import jax
import numpy as np

from t2t.data.converters import Batch
from t2t.data.pipeline import BatchIterator, TrainPipeline
from t2t.data.prefetching import prefetch
from t2t.data.workers import WorkerBatches
from t2t.training.host_rows import HostRows

AHEAD = 2
"""Batches that are on the devices beside the one that was asked for last."""

DeviceBatch = tuple[dict[str, jax.Array], np.ndarray]


class DeviceBatches(Iterator[DeviceBatch]):
    """Global arrays, split over the mesh, each with this process's positions after it.

    They are built and sent in a thread; `close` ends it, and the processes, if there are any.
    """

    def __init__(
        self,
        pipeline: TrainPipeline,
        hosts: HostRows,
        workers: int,
        positions: Sequence | np.ndarray | None,
    ):
        """`workers`: processes that build batches; 0 for none. `positions`: to go on from."""
        self._of_host: BatchIterator | WorkerBatches = (
            WorkerBatches(pipeline, workers, positions) if workers else pipeline.batches(positions)
        )
        self._batches: Generator[DeviceBatch, None, None] = prefetch(
            _sent(self._of_host, hosts), AHEAD + 1
        )

    def __next__(self) -> DeviceBatch:
        return next(self._batches)

    @property
    def skipped(self) -> dict[str, int]:
        """Malformed records left out so far, by task."""
        return self._of_host.skipped

    def close(self) -> None:
        """Ends the thread and the processes."""
        self._batches.close()
        if isinstance(self._of_host, WorkerBatches):
            self._of_host.close()


def data_values(
    consumed: Mapping[str, Mapping[str, int]], skipped: Mapping[str, int]
) -> dict[str, int]:
    """For the log: examples and tokens by task since the start, and malformed records.

    Args:
      consumed: as `TrainPipeline.consumed`.
      skipped: as `DeviceBatches.skipped`.
    """
    values = {f"data/{task}/{k}": n for task, counts in consumed.items() for k, n in counts.items()}
    return values | {f"data/{task}/skipped": n for task, n in skipped.items()}


def _sent(batches: Iterator[tuple[Batch, np.ndarray]], hosts: HostRows) -> Iterator[DeviceBatch]:
    for batch, position in batches:
        yield jax.block_until_ready(hosts.on_devices(batch)), position
