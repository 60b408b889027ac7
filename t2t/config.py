"""Gin, made strict: the only module, with the command line, that knows of it.

`load` reads files and bindings, `arguments_of` turns them into the arguments of a function. Unknown
files, names and parameters, bindings and macros that nothing uses, and values of the wrong type are
UserErrors that give the nearest valid name.
"""

import importlib
import importlib.util  # gin's resource reader needs it imported and does not do so itself
import inspect
import re
import tokenize
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import gin
from t2t.data.sources.remote_files import fetched_files
from t2t.errors import UserError, did_you_mean
from t2t.paths import is_remote, shipped
from t2t.typechecks import describe, matches
from t2t.user_modules import import_user_module

MODEL = (
    *(f"t2t.models.config:{name}" for name in ("Compute", "Dropout", "SpecialTokens")),
    *(f"t2t.models.initializers:{name}" for name in ("FanInInit", "NormalInit")),
    *(f"t2t.models.norms:{name}" for name in ("LayerNorm", "RMSNorm")),
    *(f"t2t.models.residual:{name}" for name in ("PreNorm", "PostNorm", "SandwichNorm")),
    *(
        f"t2t.models.positions:{name}"
        for name in (
            *("NoPositions", "RelativeBias", "ALiBi", "LearnedPositions", "SinusoidalPositions"),
            *("TwoDimensionalPositions", "RoPE", "LinearScaling", "Llama3Scaling", "YarnScaling"),
        )
    ),
    "t2t.models.attention:Attention",
    "t2t.models.feed_forward:FeedForward",
    "t2t.models.embedding:Embedding",
    "t2t.models.stack:Stack",
    *(
        f"t2t.models.heads:{name}"
        for name in ("LMHead", "HeadTransform", "SequenceClasses", "TokenClasses", "Spans")
    ),
    "t2t.models.encoder_decoder:EncoderDecoder",
    "t2t.models.encoder_decoder:SourceEncoder",
    "t2t.models.decoder_only:DecoderOnly",
    "t2t.models.encoder_only:EncoderOnly",
    "t2t.models.electra:Electra",
)
OPTIMISATION = (
    *(
        f"t2t.training.optimizers:{name}"
        for name in (
            *("adafactor", "adamw", "rms_scaled_adamw", "lamb", "lion", "muon", "sgd"),
            *("with_ema", "WeightDecay"),
        )
    ),
    *(
        f"t2t.training.schedules:{name}_schedule"
        for name in (
            *("constant", "linear", "cosine", "rsqrt", "wsd"),
            *("warmup", "cooldown", "product", "piecewise"),
        )
    ),
    "t2t.training.losses.language_modeling:Loss",
    "t2t.training.losses.sentence_pairs:SentencePairLoss",
    "t2t.training.losses.electra:ElectraLoss",
    *(
        f"t2t.training.losses.heads:{name}"
        for name in ("SequenceClassification", "TokenClassification", "SpanExtraction")
    ),
    "t2t.training.trainable:Trainable",
    "t2t.models.lora:LoRA",
    "t2t.models.axis_rules:AxisRules",
    "t2t.training.partitioning:MeshShape",
)
CONVERTERS = tuple(
    f"t2t.data.converters:{name}"
    for name in (
        *("EncDecFeatureConverter", "LMFeatureConverter", "PrefixLMFeatureConverter"),
        *("PrefixSuffixLMFeatureConverter", "DecoderFeatureConverter", "EncoderFeatureConverter"),
        "BlankInfillingFeatureConverter",
    )
)
DECODING = (
    "t2t.decoding.decoding:Decoding",
    "t2t.decoding.greedy:Greedy",
    "t2t.decoding.sampling:Sampling",
    "t2t.decoding.beam:Beam",
    *(f"t2t.decoding.length_penalties:{name}" for name in ("BrevityPenalty", "LengthPower")),
    *(f"t2t.decoding.processors.allowed:{name}" for name in ("AllowedTokens", "BlockedTokens")),
    *(f"t2t.decoding.processors.forced:{name}" for name in ("ForcedFirst", "ForcedLast")),
    "t2t.decoding.processors.lengths:MinLength",
    "t2t.decoding.processors.ngrams:NoRepeatNGrams",
    "t2t.decoding.processors.repetition:RepetitionPenalty",
    *(
        f"t2t.decoding.processors.warping:{name}"
        for name in ("Temperature", "TopK", "TopP", "MinP")
    ),
)
RUN = (
    "t2t.training.initialization:Initialization",
    "t2t.training.initialization:ParameterSource",
    *CONVERTERS,
    "t2t.training.checkpoints:CheckpointPolicy",
    "t2t.training.guard:Guard",
    "t2t.training.norms:NormGroups",
    "t2t.training.watchdog:Watchdog",
    "t2t.training.trackers:Wandb",
    "t2t.training.trackers:MLflow",
    "t2t.evaluation.policy:EvalPolicy",
    "t2t.training.loop:train",
)
ALL = (*MODEL, *OPTIMISATION, *DECODING, *RUN)
"""What gin can configure, as "module:name"; groups, since the later ones import more packages."""

# What gin raises for a mistake in a file.
_GIN_ERRORS = (
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
)
_NOT_BINDABLE = ["config_text", "dry_run"]
_registered: dict[str, Callable] = {}
T = TypeVar("T")


def load(
    files: Sequence[str] = (),
    bindings: Sequence[str] = (),
    search_paths: Sequence[str] = (),
    imports: Sequence[str] = (),
    configurables: Iterable[str] = ALL,
) -> None:
    """Replaces the configuration by that of `files`, in order, and then `bindings`.

    Args:
      files: gin files, looked for as they are, in `search_paths`, then in the gin/ of t2t.
      bindings: lines of gin, for example "train.seed = 1".
      search_paths: folders.
      imports: Python modules to import first, such as one that registers tasks.
      configurables: what may be configured; see `ALL`.

    Raises:
      UserError: see the module.
    """
    for configurable in configurables:
        _register(configurable)
    gin.clear_config(clear_constants=True)
    folders = [str(Path.cwd()), *search_paths, str(shipped("gin"))]
    for module in imports:
        import_user_module(module)
    # Again through gin, so that the operative configuration imports the modules too.
    _parse("\n".join(f"import {module}" for module in imports), "--import")
    for file in files:
        before, model_is_bound = _model_macro(), _train_has_model()
        _parse_file(_find(file, folders), folders, ())
        if _model_macro() is before:
            continue
        if before is not None:
            raise UserError(
                f"'{file}' says what MODEL is, and a file before it does so, too: give one file of "
                f"gin/models, or include one in the other."
            )
        if model_is_bound:
            raise UserError(
                f"'{file}' says what the MODEL is, so it has to come before the file of the run, "
                f"whose settings would be lost else: --gin_file={file} first."
            )
    for binding in bindings:
        _parse(binding, f"--gin.{binding}")


def arguments_of(function: Callable, *, all_used: bool = True) -> dict[str, Any]:
    """The arguments that the configuration gives to a registered `function`, which is not called.

    Args:
      function: `train`.
      all_used: whether to refuse bindings that nothing uses; those never come into
        `operative_config`.

    Raises:
      UserError: see the module; also if a required argument is bound by nothing.
    """
    return _called(function, all_used)


def made(cls: type[T]) -> T:
    """What the configuration makes of a registered class; see `arguments_of` for the errors."""
    return _called(cls)


def operative_config() -> str:
    """What was used, as gin that gives the same again."""
    return gin.operative_config_str()


def fill_in(values: Mapping[str, Any]) -> None:
    """Sets those of these macros that the configuration leaves open: `NAME = %gin.REQUIRED`."""
    for name, value in values.items():
        left_open = gin.config._CONFIG.get((name, "gin.macro"), {}).get("value")
        if repr(left_open) == "%gin.REQUIRED":
            _parse(f"{name} = {value!r}", name)


def has_macro(name: str) -> bool:
    """Whether the configuration sets macro `name`."""
    return name in _macros()


def _called(function: Callable, all_used: bool = True) -> Any:
    try:
        result = _registered[function.__name__]()
    except UserError as error:  # gin has added a trail of calls
        raise UserError(str(error).split("\n  In call")[0]) from error
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(_explain(error)) from error
    if all_used:
        _check_all_used()
    return result


def _register(configurable: str) -> None:
    module, name = configurable.split(":")
    if name in _registered:
        return
    target = getattr(importlib.import_module(module), name)
    collects = name == "train"  # gin fills in its arguments; the command line calls it
    wrapped = _checked(target, (lambda **arguments: arguments) if collects else target)
    _registered[name] = gin.external_configurable(
        wrapped, name=name, module="t2t", denylist=_NOT_BINDABLE if collects else None
    )


def _checked(target: Callable, call: Callable) -> Callable:
    """`call` with the signature of `target`, and its arguments checked against the annotations."""
    signature = inspect.signature(target)
    annotated = getattr(target, "__init__") if isinstance(target, type) else target  # noqa: B009
    annotations = inspect.get_annotations(annotated, eval_str=True)

    def checked(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            if value is gin.REQUIRED:
                raise UserError(
                    f"{target.__name__}.{name} has no value, and the configuration requires one: "
                    f"--gin.{target.__name__}.{name}=…, or set the macro that it refers to."
                )
            if name in annotations and not matches(value, annotations[name]):
                must = f"it must be {describe(annotations[name])}"
                made = getattr(value, "__name__", None)
                if callable(value) and made in _registered:
                    raise UserError(
                        f"{target.__name__}.{name} = @{made} is not called; {must}. Write "
                        f"@{made}(), with parentheses."
                    )
                raise UserError(
                    f"{target.__name__}.{name} = {value!r} is {describe(type(value))}; {must}."
                )
        return call(**bound.arguments)

    checked.__name__ = checked.__qualname__ = target.__name__
    checked.__doc__, checked.__module__ = target.__doc__, target.__module__
    checked.__signature__ = signature  # type: ignore[attr-defined]
    return checked


def _find(file: str, folders: Sequence[str]) -> Path:
    if is_remote(file):
        found = fetched_files(file, "Gin file")
        if len(found) > 1:
            raise UserError(f"Gin file '{file}' stands for {len(found)} files; name one.")
        return found[0]
    candidates = [Path(file).expanduser(), *(Path(folder) / file for folder in folders)]
    for path in candidates:
        if path.is_file():
            return path
    known = {
        str(path.relative_to(folder))
        for folder in folders[1:]
        for path in sorted(Path(folder).rglob("*.gin"))
    }
    hint = did_you_mean(file, known) or f" t2t brings {', '.join(_groups(known))}."
    raise UserError(
        f"Gin file '{file}' does not exist, here or in {', '.join(folders[1:])}.{hint} Add other "
        f"folders with --gin_search_paths."
    )


def _groups(files: Iterable[str]) -> list[str]:
    """Files of no folder by name, the others by folder: "models/…"."""
    return sorted({f"{name.split('/')[0]}/…" if "/" in name else name for name in files})


def _parse_file(path: Path, folders: Sequence[str], including: tuple[Path, ...]) -> None:
    """Parses a file and what it includes: gin's own include has no message for a missing file."""
    if path in including:
        raise UserError(f"Gin file '{path}' includes itself.")
    parts = re.split(r"^include\s+['\"](.+?)['\"].*$", _read(path), flags=re.MULTILINE)
    line = 0
    for i, part in enumerate(parts):
        if i % 2:
            nearby = [*folders, str(path.parent)]
            _parse_file(_find(part, nearby), folders, (*including, path))
        else:
            _parse("\n" * line + part, str(path))  # so that errors have the file's line numbers
            line += part.count("\n")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Cannot read gin file '{path}': {error}.") from error


def _parse(text: str, origin: str) -> None:
    try:
        gin.parse_config(text)
    except UserError as error:
        raise UserError(f"{origin}: {error}") from error
    except tokenize.TokenError as error:  # an open bracket at the end of the file
        reason, (line, _) = error.args
        raise UserError(f"{origin}: not valid gin, line {line}: {reason}.") from error
    except _GIN_ERRORS as error:
        raise UserError(f"{origin}: {_explain(error)}") from error


def _explain(error: BaseException) -> str:
    """Gin's message, first paragraph, with the nearest valid name."""
    if isinstance(error, SyntaxError):
        where = f", line {error.lineno}" if error.lineno else ""
        where += f" in `{error.text.strip()}`" if error.text else ""
        reason = error.msg.rstrip(".")
        return f"not valid gin{where}: {reason}. Strings need quotes: NAME = 'value'."
    message = str(error).strip().split("\n  In ")[0]
    unknown = re.search(r"No configurable matching (?:reference )?'@?([\w./]+)", message)
    if unknown:
        name = unknown[1].split(".")[-1].split("/")[-1]
        same = [n for n in _registered if n.lower() == name.lower()]
        hint = f" Did you mean '{same[0]}'?" if same else did_you_mean(name, _registered)
        hint = hint or f" Known are: {', '.join(sorted(_registered))}."
        return f"nothing configurable is called '{unknown[1]}'.{hint}"
    parameter = re.search(r"'(?:.*\.)?(\w+)' doesn't have a parameter named '(\w+)'", message)
    if parameter and parameter[1] in _registered:
        names = list(inspect.signature(_registered[parameter[1]]).parameters)
        hint = did_you_mean(parameter[2], names) or f" It has: {', '.join(names)}."
        return f"'{parameter[1]}' has no parameter '{parameter[2]}'.{hint}"
    missing = re.search(r"for arguments: \[(.*?)\]", message)
    call = re.search(r"In call to configurable '(\w+)'.*?(?: in scope '(\w+)')?$", str(error))
    if missing and call and call[1] == "macro":
        return (
            f"%{call[2]} is used but never set.{did_you_mean(call[2], _macros())} Set {call[2]} = …"
        )
    if missing and call:
        needed = ", ".join(f"{call[1]}.{name}" for name in re.findall(r"\w+", missing[1]))
        return f"these have no value: {needed}. Bind them, or start from a file: --gin_file=…"
    if isinstance(error, ImportError):
        return f"import failed: {message}. Is the module installed, or in the current folder?"
    return message


def _macros() -> list[str]:
    return [scope for scope, selector in gin.config._CONFIG if selector == "gin.macro"]


def _model_macro() -> Any:
    """What MODEL was last set to: another object each time it is set."""
    return gin.config._CONFIG.get(("MODEL", "gin.macro"), {}).get("value")


def _train_has_model() -> bool:
    return "model" in gin.config._CONFIG.get(("", "t2t.train"), {})


def _check_all_used() -> None:
    used: Mapping[Any, Mapping[str, Any]] = gin.config._OPERATIVE_CONFIG
    for (scope, selector), parameters in gin.config._CONFIG.items():
        if selector == "gin.macro":
            if (scope, selector) not in used:
                names = [s for s, kind in used if kind == "gin.macro"]
                raise UserError(
                    f"The macro {scope} is set but nothing uses it.{did_you_mean(scope, names)} "
                    f"Remove it, or use %{scope}."
                )
            continue
        name = selector.rsplit(".", 1)[-1]
        scoped = f"{scope}/{name}" if scope else name
        for parameter in parameters:
            consumed = any(
                kind == selector and user_scope.startswith(scope) and parameter in values
                for (user_scope, kind), values in used.items()
            )
            if not consumed:
                raise UserError(
                    f"{scoped}.{parameter} is set but nothing uses {scoped}. Refer to it, as in "
                    f"`train.optimizer = @adamw()`, or remove the binding."
                )
