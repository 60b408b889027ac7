"""Which rows of global batches the devices of each process hold."""

import math
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from t2t.data.share import Share
from t2t.training.partitioning import BATCH_AXES, batch_sharding


class HostRows:
    """Rows of batches by process; processes that hold the same ones have the same share.

    That is so where the devices that split one row, by `tensor` or `sequence`, are of several
    processes. If shares would overlap or differ in size, all processes have the one share of all.

    Attributes:
      share: of this process.
    """

    def __init__(self, mesh: Mesh):
        self._sharding = batch_sharding(mesh)
        ways = math.prod(mesh.shape[axis] for axis in BATCH_AXES)
        held: dict[int, set[int]] = {}
        devices: Mapping[Any, Any] = self._sharding.devices_indices_map((ways,))
        for device, (rows,) in devices.items():
            held.setdefault(device.process_index, set()).add(rows.start or 0)
        by_process = {process: tuple(sorted(parts)) for process, parts in held.items()}
        self._parts = sorted(set(by_process.values()))
        is_even = len({len(parts) for parts in self._parts}) == 1
        if sum(map(len, self._parts)) != ways or not is_even:
            self._parts = [tuple(range(ways))]
            by_process = dict.fromkeys(by_process, self._parts[0])
        self._speakers = [
            min(process for process, parts in by_process.items() if parts == each)
            for each in self._parts
        ]
        index = self._parts.index(by_process[jax.process_index()])
        self.share = Share(index, len(self._parts), self._gather)

    def on_devices(self, tree: Any) -> Any:
        """Global arrays `[rows of all shares, ...]` of NumPy arrays `[rows of this share, ...]`."""

        def place(local: np.ndarray) -> jax.Array:
            mine = self._parts[self.share.index]
            per_part = len(local) // len(mine)
            shape = (len(local) * self.share.count, *local.shape[1:])

            def part(index):
                first = mine.index((index[0].start or 0) // per_part) * per_part
                return local[first : first + per_part]

            return jax.make_array_from_callback(shape, self._sharding, part)

        return jax.tree.map(place, tree)

    def of_all(self, values: np.ndarray) -> np.ndarray:
        """`[rows of all shares, ...]` of `[rows of this share, ...]`; all must ask together."""
        return self._gather(values).reshape(-1, *values.shape[1:])

    def mine(self, batch_size: int) -> np.ndarray:
        """Which rows of a global batch those of this share are, in their order."""
        return np.nonzero(self._owners(batch_size) == self.share.index)[0]

    def places(self, numbers: Sequence[np.ndarray], batch_size: int) -> np.ndarray:
        """Which example is in each row of all global batches, one after the other; -1 for none.

        Args:
          numbers: of the examples of each share, in the order in which it gives them.
          batch_size: rows of a global batch.
        """
        rows = batch_size // len(self._parts)
        count = max(-(-len(each) // rows) for each in numbers)
        found = np.full((count, batch_size), -1)
        for index, each in enumerate(numbers):
            filled = np.concatenate([each, np.full(count * rows - len(each), -1)])
            found[:, self._owners(batch_size) == index] = filled.reshape(count, rows)
        return found.ravel()

    def in_order(self, numbers: Sequence[np.ndarray], items: Sequence[Any]) -> list[Any]:
        """What all shares have, on all processes, by number; `items` are those of this one."""
        if self.share.count == 1:
            return list(items)
        data = np.frombuffer(pickle.dumps(list(items)), np.uint8)
        sizes = self._gather(np.array(len(data)))
        padded = np.zeros(sizes.max(), np.uint8)
        padded[: len(data)] = data
        found: list[Any] = [None] * sum(map(len, numbers))
        for each, size, part in zip(numbers, sizes, self._gather(padded), strict=True):
            for number, item in zip(each, pickle.loads(part[:size].tobytes()), strict=True):
                found[number] = item
        return found

    def _owners(self, batch_size: int) -> np.ndarray:
        """The share that each row of a global batch belongs to."""
        owners = np.zeros(sum(map(len, self._parts)), int)
        for index, parts in enumerate(self._parts):
            owners[list(parts)] = index
        return np.repeat(owners, batch_size // len(owners))

    def _gather(self, values: np.ndarray) -> np.ndarray:
        if len(self._parts) == 1:
            return values[None]
        # As bytes, since JAX would cut 64-bit numbers to 32.
        data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        found = np.asarray(multihost_utils.process_allgather(data))[self._speakers]
        return np.ascontiguousarray(found).view(values.dtype).reshape(-1, *values.shape)
