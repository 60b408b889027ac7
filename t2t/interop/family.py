"""What a model family of Hugging Face is: its configuration and its tensors, both ways."""

import abc
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from t2t.errors import UserError, did_you_mean
from t2t.interop.canonical import canonical
from t2t.interop.sources import Source
from t2t.interop.tables import Table
from t2t.models.definition import ModelConfig, Params

_FREE = ("dropout", "compute", "init")  # how a model is trained and computed, not what it is


class Family(abc.ABC):
    """One module of `families/` defines a subclass and `FAMILY`, an instance of it.

    Methods take configurations of `config_classes` only, and may be annotated so.

    Attributes:
      model_types: values of `model_type` in config.json that it reads.
      config_classes: names of the classes of configuration that it can express.
    """

    model_types: ClassVar[tuple[str, ...]]
    config_classes: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def from_hf(self, config: "HFConfig") -> ModelConfig:
        """Our configuration of the model that a config.json describes.

        Raises:
          UserError: if it has a setting that ours has no place for.
        """

    def with_tensors(self, config: Any, source: Source) -> ModelConfig:
        """`config` corrected by which tensors there are, where config.json does not say it."""
        return config

    def equivalent(self, config: Any) -> tuple[Any, Callable[[Params], Params]]:
        """Another configuration with the same outputs that the family has, and how to get there.

        Returns:
          The configuration, and a function from parameters of `config` to those of the result. By
          default both are the same.
        """
        return config, lambda params: params

    @abc.abstractmethod
    def to_hf(self, config: Any) -> dict[str, Any]:
        """The whole config.json: `model_type`, `architectures`, sizes, special token ids.

        It need not look for what the family has no place for where `from_hf` of the result shows
        it: `express` compares the two. Where it must, it raises UserError.
        """

    @abc.abstractmethod
    def table(self, config: Any) -> Table:
        """The tensors of the model `config`."""

    def express(self, config: ModelConfig) -> dict[str, Any]:
        """`to_hf` of a configuration that loses nothing but dropout, precision, initialisation.

        Raises:
          UserError: naming the settings that the family has no place for.
        """
        kind = type(config).__name__
        if kind not in self.config_classes:
            raise UserError(f"it is no {kind}")
        config = canonical(config)
        expressed = self.to_hf(config)
        back = canonical(self.from_hf(HFConfig(expressed, "the exported config.json")))
        lost = list(differences(config, back))
        if lost:
            raise UserError(f"it has no place for {', '.join(lost)}")
        return expressed


class HFConfig(Mapping[str, Any]):
    """A config.json, with messages for what is missing or has no counterpart here."""

    def __init__(self, settings: Mapping[str, Any], where: str = "config.json"):
        self._settings = settings
        self.where = where

    def __getitem__(self, name: str) -> Any:
        """Raises UserError where a required setting is missing."""
        if name not in self._settings:
            hint = did_you_mean(name, self._settings)
            raise UserError(f"{self.where} does not set '{name}', which this model needs.{hint}")
        return self._settings[name]

    def __contains__(self, name: object) -> bool:
        return name in self._settings

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def get(self, name: str, default: Any = None) -> Any:
        """The setting; `default` if it is not there."""
        return self._settings.get(name, default)

    def token_id(self, name: str, default: int | None) -> int | None:
        """A special token's id; of several, as some models list for `eos_token_id`, the first."""
        ids = self.get(name, default)
        return ids[0] if isinstance(ids, list) else ids

    def must_be(self, name: str, *allowed: Any) -> None:
        """Raises UserError unless the setting is one of `allowed`; the first is the default."""
        value = self.get(name, allowed[0])
        if value not in allowed:
            raise UserError(
                f"{self.where} sets {name} = {value!r}, which is not supported; only "
                f"{' or '.join(map(repr, allowed))} is."
            )

    def choice(self, name: str, choices: Mapping[Any, Any], default: Any = None) -> Any:
        """`choices[setting]`, or UserError if the setting is none of them."""
        value = self.get(name, default)
        if value not in choices:
            raise UserError(
                f"{self.where} sets {name} = {value!r}, which is not supported; only "
                f"{', '.join(map(repr, choices))}.{did_you_mean(str(value), map(str, choices))}"
            )
        return choices[value]


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Yields `path = value of ours (not value of theirs)` for each setting that differs.

    Of two nested dataclasses, all but dropout, compute and init are compared.
    """
    if dataclasses.is_dataclass(ours) and type(ours) is type(theirs):
        for field in dataclasses.fields(ours):
            if path or field.name not in _FREE:
                inner = f"{path}.{field.name}" if path else field.name
                yield from differences(
                    getattr(ours, field.name), getattr(theirs, field.name), inner
                )
    elif ours != theirs:
        yield f"{path} = {ours!r} (only {theirs!r})"
