"""Tasks and mixtures by name; the modules of `tasks/` are imported when first needed."""

import importlib.machinery
import inspect
import re
import sys
import types
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from t2t.data.mixtures import Mixture, Rate
from t2t.data.sources import DataSource
from t2t.data.tasks import Task
from t2t.errors import UserError, did_you_mean
from t2t.paths import shipped

T = TypeVar("T", Task, Mixture)
_NAME = re.compile(r"[\w.:#]+")


class _Registry(Generic[T]):
    """Objects of one kind by name, and where each was defined."""

    def __init__(self, kind: str):
        self._kind = kind
        self._items: dict[str, T] = {}
        self._defined_at: dict[str, str] = {}

    def add_provider(self, name: str, item: T) -> T:
        """Registers `item`; raises UserError if the name is taken or malformed."""
        if not _NAME.fullmatch(name):
            raise UserError(
                f"{self._kind} name '{name}' may hold letters, digits and _ . : # only."
            )
        if name in self._items:
            raise UserError(
                f"{self._kind} '{name}' is already defined at {self._defined_at[name]}."
            )
        self._items[name] = item
        self._defined_at[name] = _caller()
        return item

    def names(self) -> list[str]:
        """All names, those of `tasks/` included."""
        import_shipped_tasks()
        return sorted(self._items)

    def defined_at(self, name: str) -> str:
        """`file:line` of the definition of `name`."""
        return self._defined_at[name]

    def remove(self, name: str) -> None:
        """Forgets `name`, for notebooks that define a task again."""
        self._items.pop(name, None)

    def maybe_get(self, name: str) -> T | None:
        """The object called `name`, or None; does not import `tasks/`."""
        return self._items.get(name)


class _TaskRegistry(_Registry[Task]):
    def add(
        self, name: str, source: DataSource, preprocessors: Sequence = (), **fields: Any
    ) -> Task:
        """Defines and registers a `Task`; the arguments are its fields."""
        fields["metric_fns"] = tuple(fields.get("metric_fns", ()))
        task = Task(name=name, source=source, preprocessors=tuple(preprocessors), **fields)
        return self.add_provider(name, task)


class _MixtureRegistry(_Registry[Mixture]):
    def add(
        self,
        name: str,
        tasks: Sequence[str | Task | Mixture | tuple[str | Task | Mixture, Rate]],
        default_rate: Rate | None = None,
    ) -> Mixture:
        """Defines and registers a `Mixture` of names, objects, or (name or object, rate) pairs."""
        parts = []
        for entry in tasks:
            part, rate = entry if isinstance(entry, tuple) else (entry, default_rate)
            if rate is None:
                raise UserError(f"Mixture '{name}': '{part}' needs a rate, or give a default_rate.")
            parts.append((get_mixture_or_task(part) if isinstance(part, str) else part, rate))
        return self.add_provider(name, Mixture(name, tuple(parts)))


TaskRegistry = _TaskRegistry("Task")
MixtureRegistry = _MixtureRegistry("Mixture")


def get_mixture_or_task(name: str) -> Task | Mixture:
    """Returns the mixture, else the task, called `name`.

    Raises:
      UserError: if there is neither, with the nearest names.
    """
    for attempt in ("registered", "after importing tasks/"):
        found = MixtureRegistry.maybe_get(name) or TaskRegistry.maybe_get(name)
        if found:
            return found
        if attempt == "registered":
            import_shipped_tasks()
    names = MixtureRegistry.names() + TaskRegistry.names()
    raise UserError(
        f"There is no task or mixture called '{name}'.{did_you_mean(name, names)} Known are: "
        f"{', '.join(names) or 'none'}. A task of your own needs its module: put it in tasks/, or "
        f"pass --import=your.module."
    )


def import_shipped_tasks() -> None:
    """Imports every module of `tasks/`, once; raises UserError that names a module that fails."""
    for path in sorted(shipped("tasks").glob("*.py")):
        name = f"t2t_tasks.{path.stem}"
        if name in sys.modules:
            continue
        loader = importlib.machinery.SourceFileLoader(name, str(path))
        module = types.ModuleType(name)
        module.__file__ = str(path)
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except UserError as error:
            del sys.modules[name]
            raise UserError(f"{path}: {error}") from error
        except Exception as error:
            del sys.modules[name]
            raise UserError(f"Importing {path} failed: {type(error).__name__}: {error}") from error


def _caller() -> str:
    for frame in inspect.stack(context=0)[1:]:
        if frame.filename != __file__:
            return f"{frame.filename}:{frame.lineno}"
    return "unknown place"
