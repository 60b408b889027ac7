"""A trained model as lm-evaluation-harness asks models."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from t2t.decoding.prediction import Numbered
from t2t.decoding.predictor import Predictor
from t2t.decoding.prompts import check_generates
from t2t.decoding.scored_texts import Alternatives
from t2t.errors import UserError, did_you_mean
from t2t.lm_eval.generation import ContextReader, Request, cut, request_of, stop_tokens
from t2t.lm_eval.texts import Texts
from t2t.optional import optional_import
from t2t.reporting.parameters import parameter_count
from t2t.trained import load_trained
from t2t.trained_model import TrainedModel

optional_import("lm_eval", "The adapter for lm-evaluation-harness", extra="lm_eval")

from lm_eval.api.model import TemplateLM  # noqa: E402
from lm_eval.api.registry import register_model  # noqa: E402
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window  # noqa: E402
from tqdm import tqdm  # noqa: E402

Answer = tuple[float, bool]
"""Log-likelihood of a continuation, and whether it is what greedy decoding says."""

_Tokens = tuple[tuple[str, str] | None, list[int], list[int]]
_DEFAULT_BATCH_SIZE = 64
_ARGUMENTS = ("model_dir", "batch_size", "max_length", "max_gen_toks", "mixture", "step", "seed")


@register_model("t2t")
class T2TLM(TemplateLM):
    """A run, or an imported model: an encoder-decoder, or a decoder alone.

    Requests are answered in batches of like length, with one compilation per length class, however
    many tasks there are. Answers depend on neither the batch size nor the other requests.
    """

    def __init__(
        self,
        model_dir: str | TrainedModel = "",
        *,
        batch_size: int | str | None = None,
        max_length: int | None = None,
        max_gen_toks: int = 256,
        mixture: str | None = None,
        step: int | None = None,
        imports: str | Sequence[str] = (),
        seed: int = 0,
        device: Any = None,
        max_batch_size: Any = None,
        **unknown: Any,
    ):
        """Loads the model.

        Args:
          model_dir: folder of the run, or what `load_trained` gave.
          batch_size: requests at a time; "auto" is 64.
          max_length: tokens that are read; None for as many as there are positions for, or 2048.
          max_gen_toks: new tokens, at most, where a task does not say.
          mixture: whose vocabulary and format to use instead of the run's.
          step: of the checkpoint; None for the newest that is intact.
          imports: modules to import first; in a string divided by "+".
          seed: of sampling.
          device: of PyTorch, which the harness always names; JAX finds its own.
          max_batch_size: of "auto"; not needed.
          unknown: refused.

        Raises:
          UserError: if the model neither generates nor scores text, or an argument cannot be.
        """
        super().__init__()
        if unknown:
            name = next(iter(unknown))
            raise UserError(
                f"model_args: t2t's model takes no '{name}'.{did_you_mean(name, _ARGUMENTS)}"
            )
        if not model_dir:
            raise UserError("Name the folder of the run: --model_args model_dir=runs/mine.")
        if isinstance(model_dir, TrainedModel):
            self._trained, self._name = model_dir, "a model in memory"
        else:
            modules = imports.split("+") if isinstance(imports, str) else imports
            modules = tuple(module for module in modules if module)
            self._trained = load_trained(
                str(model_dir), mixture=mixture, step=step, imports=modules, own_devices=True
            )
            self._name = str(model_dir)
        is_auto = batch_size is None or str(batch_size).startswith("auto")
        self.batch_size = _DEFAULT_BATCH_SIZE if is_auto else int(str(batch_size))
        self._scorer = self._trained.scorer(batch_size=self.batch_size)
        self._config = check_generates(self._trained.model.config)
        if self._trained.fills_blanks:
            raise UserError(
                "This model fills blanks (GLM), but the harness asks how texts go on, which it was "
                "not trained for. `t2t score` and `t2t eval` ask as training did."
            )
        self._texts = Texts(self._config, self._trained.features, max_length)
        self.backend = "causal" if self._texts.joined else "seq2seq"
        self._max_gen_toks, self._seed = max_gen_toks, seed
        self._predictors: dict[Request, Predictor] = {}

    @property
    def max_length(self) -> int:
        return self._texts.max_length

    @property
    def max_gen_toks(self) -> int:
        return self._max_gen_toks

    @property
    def eot_token_id(self) -> int | None:
        return self._config.tokens.eos

    @property
    def prefix_token_id(self) -> int:
        return self._texts.start

    @property
    def tokenizer_name(self) -> str:
        return self._texts.vocabulary.fingerprint

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_: Any
    ) -> list[int]:
        """A context, with what goes around it, or with `add_special_tokens=False` what is said."""
        return self._texts.said(string) if add_special_tokens is False else self._texts.read(string)

    def get_model_info(self) -> dict[str, Any]:
        """For the file of results."""
        return {
            "model_dir": self._name,
            "model_step": self._trained.step,
            "model_num_parameters": parameter_count(self._config),
            "model_dtype": str(self._config.compute.dtype),
        }

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        windows: list[_Tokens] = []
        owners = []
        for number, request in enumerate(requests):
            tokens = self._texts.whole(request.args[0])
            for window in get_rolling_token_windows(
                tokens, self._texts.start, self.max_length, context_len=1
            ):
                windows.append((None, *make_disjoint_window(window)))
                owners.append(number)
        totals = [0.0] * len(requests)
        found = self._loglikelihood_tokens(windows, disable_tqdm=disable_tqdm)
        for owner, (value, _) in zip(owners, found, strict=True):
            totals[owner] += value
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
        return totals

    def _loglikelihood_tokens(
        self, requests: Sequence[_Tokens], disable_tqdm: bool = False, **_: Any
    ) -> list[Answer]:
        by_context: dict[tuple[int, ...], list[int]] = {}
        for number, (_texts, context, _said) in enumerate(requests):
            by_context.setdefault(tuple(context), []).append(number)
        items: list[Alternatives] = []
        places: list[list[int]] = []
        for ids, numbers in by_context.items():
            made = self._texts.alternatives(ids, [requests[n][2] for n in numbers])
            items += made
            places += [numbers] if len(made) == 1 else [[n] for n in numbers]
        answers: list[Answer] = [(0.0, True)] * len(requests)
        bar = self._bar(len(requests), "loglikelihood", disable_tqdm)
        for numbers, found in zip(places, self._scorer.score_tokens(items), strict=True):
            for number, scores in zip(numbers, found, strict=True):
                answers[number] = float(scores.log_probs.sum()), bool(scores.greedy.all())
                if (texts := requests[number][0]) is not None:
                    self.cache_hook.add_partial("loglikelihood", texts, answers[number])
                bar.update()
        bar.close()
        return answers

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        by_request: dict[Request, list[int]] = {}
        for number, request in enumerate(requests):
            asked = request_of(request.args[1], self.max_gen_toks, self._seed)
            by_request.setdefault(asked, []).append(number)
        texts = [""] * len(requests)
        bar = self._bar(len(requests), "generate_until", disable_tqdm)
        for asked, numbers in by_request.items():
            records = (Numbered(n, {"inputs": requests[n].args[0]}) for n in numbers)
            for number, text in zip(numbers, self._generated(asked, records), strict=True):
                texts[number] = text
                self.cache_hook.add_partial("generate_until", requests[number].args, text)
                bar.update()
        bar.close()
        return texts

    def _generated(self, asked: Request, records: Iterable[Numbered]) -> Iterable[str]:
        if asked not in self._predictors:
            decoding = asked.decoding
            stops = stop_tokens(self._texts.vocabulary, asked.until)
            reader = ContextReader(self._texts, self.eot_token_id, decoding.max_length)
            decoding = dataclasses.replace(decoding, stop_tokens=stops)
            self._predictors[asked] = self._trained.predictor(
                decoding, batch_size=self.batch_size, reader=reader
            )
        for predictions in self._predictors[asked].predict(records):
            yield cut(predictions[0].text, asked.until)

    def _bar(self, total: int, what: str, disable: bool) -> tqdm:
        return tqdm(total=total, desc=f"Running {what} requests", disable=disable)
