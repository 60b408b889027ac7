"""The table of a model family: which of their tensors is which of our parameters.

A table is a list of rules. The example has a stack of layers, a fused projection, and an output
matrix that files may repeat under another name:

    Table(
        rules=(
            Rule("token_embedder/embedding", "wte.weight", also=("lm_head.weight",)),
            *linear("decoder/layers/mlp/wo", "h.{layer}.mlp.down", bias=True),
            *norm("decoder/layers/mlp_norm", "h.{layer}.ln_2", bias=True),
            Rule(
                ("decoder/layers/mlp/wi_0/kernel", "decoder/layers/mlp/wi_1/kernel"),
                "h.{layer}.mlp.gate_up.weight",
                (Fuse(axis=1), Transpose()),
            ),
        ),
        ignored=(r"h\\.\\d+\\.attn\\.masked_bias",),
        base_prefix="transformer.",
    )

`{layer}` in their name stands for 0, 1, ...: ours is then stacked on axis 0, and the steps of the
rule act on one layer. `reading.py` and `writing.py` use a table.
"""

import dataclasses
from collections.abc import Iterator, Mapping

from t2t.interop.transforms import Chain, Shape, Shapes, Transform, Transpose


@dataclasses.dataclass(frozen=True)
class Rule:
    """One or several of our parameters are one or several of their tensors.

    Attributes:
      ours: paths, joined by "/"; stacked on axis 0 if `theirs` has `{layer}`.
      theirs: names, as they are written.
      steps: from ours to theirs; for a stack, of one layer.
      also: other names that the tensor (only with a single `theirs`) may be found under; if a file
        has more than one of its names, they must be equal. Not written.
      copies: names of copies of the tensor (only with a single `theirs`) that nothing depends on:
        written, and read only where the tensor itself is missing.
      absent: what ours is filled with when they do not have it; None if they must.
    """

    ours: str | tuple[str, ...]
    theirs: str | tuple[str, ...]
    steps: tuple[Transform, ...] = ()
    also: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    absent: float | None = None

    @property
    def our_paths(self) -> tuple[str, ...]:
        return (self.ours,) if isinstance(self.ours, str) else self.ours

    @property
    def stacked(self) -> bool:
        return "{layer}" in self._their_names[0]

    @property
    def transform(self) -> Transform:
        return Chain(self.steps)

    @property
    def _their_names(self) -> tuple[str, ...]:
        return (self.theirs,) if isinstance(self.theirs, str) else self.theirs

    def parts(self, shapes: Mapping[str, Shape]) -> Iterator["Part"]:
        """Yields the rule for each layer, or once; `shapes` are those of our parameters by path."""
        ours = tuple(shapes[path] for path in self.our_paths)
        for layer in range(ours[0][0]) if self.stacked else (None,):
            yield Part(
                rule=self,
                layer=layer,
                names=tuple(name.format(layer=layer) for name in self._their_names),
                also=tuple(name.format(layer=layer) for name in self.also),
                copies=tuple(name.format(layer=layer) for name in self.copies),
                shapes=ours if layer is None else tuple(shape[1:] for shape in ours),
            )


@dataclasses.dataclass(frozen=True)
class Part:
    """A rule for one layer.

    Attributes:
      rule: it.
      layer: index on axis 0 of ours; None if ours is not stacked.
      names, also, copies: theirs, `{layer}` filled in.
      shapes: of ours, of this layer.
    """

    rule: Rule
    layer: int | None
    names: tuple[str, ...]
    also: tuple[str, ...]
    copies: tuple[str, ...]
    shapes: Shapes

    @property
    def their_shapes(self) -> Shapes:
        return self.rule.transform.shapes(self.shapes)


@dataclasses.dataclass(frozen=True)
class Constant:
    """A tensor of theirs that is no parameter of ours: written so, and read only if it is so.

    Reading a file that lacks it is fine.
    """

    theirs: str
    shape: Shape
    value: float = 0.0


@dataclasses.dataclass(frozen=True)
class Table:
    """All rules of a model.

    Attributes:
      rules: each of our parameters is in exactly one.
      constants: see there.
      ignored: regular expressions of whole names that are skipped on reading, such as buffers.
      renames: (regular expression, replacement) applied to names on reading: old spellings.
      base_prefix: files may have all names without this prefix, or with it where rules have none:
        models of transformers with and without a head differ so.
    """

    rules: tuple[Rule, ...]
    constants: tuple[Constant, ...] = ()
    ignored: tuple[str, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    base_prefix: str = ""

    def parts(self, shapes: Mapping[str, Shape]) -> list[Part]:
        """Every rule for every layer.

        Raises:
          ValueError: if the rules are not about exactly the paths of `shapes`; a fault of ours.
        """
        covered = [path for rule in self.rules for path in rule.our_paths]
        wrong = {
            "without a rule": sorted(set(shapes) - set(covered)),
            "in rules but not in the model": sorted(set(covered) - set(shapes)),
            "in several rules": sorted({path for path in covered if covered.count(path) > 1}),
        }
        if any(wrong.values()):
            faults = [f"{what}: {', '.join(paths)}" for what, paths in wrong.items() if paths]
            raise ValueError(f"Parameters {'; '.join(faults)}.")
        return [part for rule in self.rules for part in rule.parts(shapes)]


def linear(ours: str, theirs: str, *, bias: bool) -> tuple[Rule, ...]:
    """A dense layer of ours, `kernel` [in, out], and a torch Linear, `weight` [out, in]."""
    kernel = Rule(f"{ours}/kernel", f"{theirs}.weight", (Transpose(),))
    return (kernel, Rule(f"{ours}/bias", f"{theirs}.bias")) if bias else (kernel,)


def norm(ours: str, theirs: str, *, bias: bool) -> tuple[Rule, ...]:
    """A norm: `scale` and `bias` of ours, `weight` and `bias` of theirs."""
    scale = Rule(f"{ours}/scale", f"{theirs}.weight")
    return (scale, Rule(f"{ours}/bias", f"{theirs}.bias")) if bias else (scale,)
