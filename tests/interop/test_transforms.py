import numpy as np
import pytest

from t2t.interop.transforms import Chain, Fuse, Pad, Reshape, Split, Transpose

A = np.arange(24, dtype=np.float32).reshape(2, 12)
B = np.arange(100, 112, dtype=np.float32).reshape(2, 6)
# Theirs has query, key and value of a head side by side: [in, heads, 3, head_dim].
INTERLEAVED = Chain((Reshape((-1, 2, 1, 3)), Fuse(2), Reshape((2, -1)), Transpose()))


@pytest.mark.parametrize(
    ("step", "ours", "theirs"),
    [
        (Transpose(), (A, B), (A.T, B.T)),
        (Transpose((1, 2, 0)), (A.reshape(2, 3, 4),), (np.moveaxis(A.reshape(2, 3, 4), 0, 2),)),
        (Reshape((4, -1)), (A, B), (A.reshape(4, 6), B.reshape(4, 3))),
        (Pad(1, 2), (A,), (np.pad(A, ((1, 2), (0, 0))),)),
        (Pad(after=1, axis=-1), (A, B), (np.pad(A, ((0, 0), (0, 1))), np.pad(B, ((0, 0), (0, 1))))),
        (Fuse(1), (A, B), (np.concatenate([A, B], 1),)),
        (Split(1, (5, 7)), (A,), (A[:, :5], A[:, 5:])),
        (Split(-1, (5, 7)), (A,), (A[:, :5], A[:, 5:])),
        (Chain(()), (A,), (A,)),
        (Chain((Fuse(1), Transpose())), (A, B), (np.concatenate([A, B], 1).T,)),
        (
            INTERLEAVED,
            (B, B + 20, B + 40),
            (np.concatenate([(B + o)[:, h : h + 3] for h in (0, 3) for o in (0, 20, 40)], 1).T,),
        ),
    ],
)
def test_there_and_back(step, ours, theirs):
    shapes = tuple(array.shape for array in ours)
    assert step.shapes(shapes) == tuple(array.shape for array in theirs)
    for actual, expected in zip(step.to_theirs(ours), theirs, strict=True):
        np.testing.assert_array_equal(actual, expected)
    for actual, expected in zip(step.to_ours(theirs, shapes), ours, strict=True):
        np.testing.assert_array_equal(actual, expected)
