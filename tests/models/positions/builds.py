"""Builds position modules of tiny dimensions."""

import jax


class Normal:
    """Tables of standard deviation 0.02."""

    table = staticmethod(jax.nn.initializers.normal(0.02))


def build(spec, *, d_model=8, num_heads=4, head_dim=8, causal=True):
    return spec.build(
        d_model=d_model,
        num_heads=num_heads,
        head_dim=head_dim,
        causal=causal,
        key=jax.random.key(0),
        init=Normal(),
    )
