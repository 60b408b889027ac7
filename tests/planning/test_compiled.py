"""What the TPU compiler says when it gives up, as it said it."""

import pytest

from t2t.planning.compiled import OutOfMemory

GIB = 2**30
TEMPORARIES = (
    "RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for HLO temporaries "
    "(30.73G) exceeds available HBM (15.75G)."
)
EVERYTHING = (
    "RESOURCE_EXHAUSTED: XLA:TPU compile permanent error. Ran out of memory in memory space hbm. "
    "Used 16.25G of 15.75G hbm. Exceeded hbm capacity by 512.00M."
)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (TEMPORARIES, OutOfMemory(round(30.73 * GIB), round(15.75 * GIB), False)),
        (EVERYTHING, OutOfMemory(round(16.25 * GIB), round(15.75 * GIB), True)),
        ("INTERNAL: Mosaic failed", None),
    ],
)
def test_read(message, expected):
    assert OutOfMemory.read(message) == expected
