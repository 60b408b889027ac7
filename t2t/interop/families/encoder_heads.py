"""Heads of encoders at Hugging Face: what they are here, and how their tensors are called."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from t2t.errors import UserError
from t2t.interop.tables import Rule, linear, norm
from t2t.interop.transforms import Transpose
from t2t.models.heads import (
    Head,
    HeadTransform,
    LMHead,
    SequenceClasses,
    Spans,
    TokenClasses,
)
from t2t.models.stack import Stack


@dataclasses.dataclass(frozen=True)
class MaskedLM:
    """A masked language model's head: dense, activation, norm, projection, bias.

    Attributes:
      dense, norm: names of these layers.
      decoder: name of the projection; its weight is in files where it is not the table of tokens.
      bias: name of its bias. Untied models of transformers 5 compute with the bias of the decoder,
        and keep this one as well, unused.
      activation: ours; None for `hidden_act`.
    """

    dense: str
    norm: str
    decoder: str
    bias: str
    activation: str | None = None

    name: ClassVar[str] = LMHead.name
    dropout: ClassVar[bool] = False
    labelled: ClassVar[bool] = False
    pooled: ClassVar[bool] = False

    @property
    def marker(self) -> str:
        """A tensor that models with this head have, and no others."""
        return f"{self.dense}.weight"

    def ours(self, stack: Stack, num_labels: int, *, tied: bool = True) -> LMHead:
        """The head of a model with these layers, or one that differs in being tied or not."""
        activation = self.activation or stack.feed_forward.activations[0]
        transform = HeadTransform(activation, stack.norm, stack.embedding.size)
        return LMHead(tied=tied, bias=True, transform=transform)

    def fits(self, head: Any, stack: Stack) -> bool:
        """Whether `head` may be this one."""
        return isinstance(head, LMHead) and head == self.ours(stack, 0, tied=head.tied)

    def rules(self, head: Any, base: str) -> Iterator[Rule]:
        """Those of the head's tensors, but for the table of tokens."""
        yield from linear("lm_head/transform/dense", self.dense, bias=True)
        yield from norm("lm_head/transform/norm", self.norm, bias=True)
        bias = f"{self.decoder}.bias"
        if head.tied:
            yield Rule("lm_head/bias", self.bias, also=(bias,) if bias != self.bias else ())
        else:
            yield Rule("lm_head/kernel", f"{self.decoder}.weight", (Transpose(),))
            yield Rule("lm_head/bias", bias, copies=(self.bias,) if bias != self.bias else ())


@dataclasses.dataclass(frozen=True)
class Classifier:
    """Classes, spans, or a pooled vector.

    Attributes:
      head: ours; its number of classes stands for any other, if `labelled`.
      out: name of the projection to classes; "" for a pooled vector.
      dense: name of the layer in front, "" for none; "{base}" stands for the encoder's prefix.
      labelled: whether config.json says how many classes there are.
      hidden_act: whether `hidden_act` is the activation of the layer in front.
      also: another name of `out`.
      dropout: whether what the projection reads is dropped out in training.
      told: whether the tensors tell that it is there, if config.json does not.
    """

    head: SequenceClasses | TokenClasses | Spans
    out: str = ""
    dense: str = ""
    labelled: bool = True
    hidden_act: bool = False
    also: str = ""
    dropout: bool = True
    told: bool = True

    @property
    def name(self) -> str:
        return self.head.name

    @property
    def pooled(self) -> bool:
        """Whether it is the pooled vector itself."""
        return not self.out

    @property
    def marker(self) -> str:
        """A tensor that models with this head have, "" if that is no proof."""
        return f"{self.out or self.dense.format(base='')}.weight" if self.told else ""

    def ours(self, stack: Stack, num_labels: int) -> SequenceClasses | TokenClasses | Spans:
        """The head of a model with these layers."""
        changes: dict[str, Any] = {}
        if self.labelled:
            changes["num_classes"] = num_labels
        if self.hidden_act:
            changes["activation"] = stack.feed_forward.activations[0]
        return dataclasses.replace(self.head, **changes)

    def fits(self, head: Head, stack: Stack) -> bool:
        """Whether `head` may be this one."""
        classes = getattr(head, "num_classes", None)
        if head.name != self.name or (self.labelled and classes is None):
            return False
        return self.ours(stack, classes or 0) == head

    def rules(self, head: Head, base: str) -> Iterator[Rule]:
        """Those of the head's tensors; names of the encoder's begin with `base`."""
        if self.dense:
            yield from linear(f"{self.name}/dense", self.dense.format(base=base), bias=True)
        if self.out:
            for rule in linear(f"{self.name}/out", self.out, bias=True):
                assert isinstance(rule.theirs, str)
                also = (rule.theirs.replace(self.out, self.also),) if self.also else ()
                yield dataclasses.replace(rule, also=also)


TheirHead = MaskedLM | Classifier

Classes = Mapping[str, tuple[TheirHead, ...]]
"""Classes of transformers, and the heads of each."""


class Matched(NamedTuple):
    """What a model is at transformers.

    Attributes:
      classes: names of those that it has all heads of, one after the other.
      heads: theirs, by name of ours.
    """

    classes: list[str]
    heads: dict[str, TheirHead]


def match(classes: Classes, ours: tuple[Head, ...], stack: Stack) -> Matched:
    """The first of `classes` that have heads like `ours`, each of these in one of them.

    Raises:
      UserError: if there are none, or two heads are called the same there.
    """
    left = {head.name: head for head in ours}
    found = Matched([], {})
    for name, theirs in classes.items():
        if all(head.name in left and head.fits(left[head.name], stack) for head in theirs):
            if theirs or not ours:
                found.classes.append(name)
            for head in theirs:
                found.heads[head.name] = head
                del left[head.name]
    if left:
        raise UserError(f"it has no place for heads = {tuple(left.values())}")
    outs = [head.out for head in found.heads.values() if isinstance(head, Classifier) and head.out]
    if len(set(outs)) < len(outs):
        raise UserError(f"it has no place for heads = {ours}: two would be its '{outs[0]}'")
    return found


# Token classes and spans are called the same by all families.
TOKENS = Classifier(TokenClasses(1), "classifier", told=False)
SPANS = Classifier(Spans(), "qa_outputs", labelled=False, dropout=False)


def pooled(dense: str) -> Classifier:
    """The vector of the first token, through a layer that is part of the encoder."""
    return Classifier(SequenceClasses(None), dense=dense, labelled=False, dropout=False)
