"""Tasks and mixtures by name; the modules of `tasks/` are imported when first needed."""

import dataclasses
import importlib
import inspect
import re
import sys
import types
from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from t2t.data.mixtures import Mixture, Rate, leaf_tasks
from t2t.data.sources import DataSource
from t2t.data.tasks import Task
from t2t.errors import UserError, described, did_you_mean
from t2t.paths import shipped

T = TypeVar("T", Task, Mixture)
_NAME = re.compile(r"[\w.:#]+")


class _Registry(Generic[T]):
    """Objects of one kind by name, and where each was defined."""

    def __init__(self, kind: str):
        self._kind = kind
        self._items: dict[str, T] = {}
        self._defined_at: dict[str, _Place] = {}

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
        return str(self._defined_at[name])

    def defining_module(self, name: str) -> str:
        """The module whose import registers `name`."""
        return self._defined_at[name].module

    def remove(self, name: str) -> None:
        """Forgets `name`, for notebooks that define a task again."""
        self._items.pop(name, None)

    def get(self, name: str) -> T:
        """The object called `name`, `tasks/` included; raises UserError with the nearest name."""
        if name not in self._items and name not in self.names():
            hint = did_you_mean(name, self._items)
            raise UserError(f"There is no {self._kind.lower()} called '{name}'.{hint}")
        return self._items[name]

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
        tasks: Iterable[str | Task | Mixture | tuple[str | Task | Mixture, Rate]],
        default_rate: Rate | None = None,
    ) -> Mixture:
        """Defines and registers a `Mixture` of names, objects, or (name or object, rate) pairs."""
        parts = []
        for entry in tasks:
            if isinstance(entry, tuple) and len(entry) != 2:
                raise UserError(f"Mixture '{name}': {entry!r} must be a task and its rate.")
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
        f"There is no task or mixture called '{name}'.{did_you_mean(name, names)} `t2t inspect` "
        f"lists the {len(names)} that there are. A task of your own needs its module: put it in "
        f"tasks/, or pass --import=your.module."
    )


def import_shipped_tasks() -> None:
    """Imports every module of `tasks/`, once; raises UserError that names a module that fails.

    They are modules of a package `t2t_tasks`, so that one can import what another defines.
    """
    package = sys.modules.setdefault("t2t_tasks", types.ModuleType("t2t_tasks"))
    package.__path__ = [str(shipped("tasks"))]
    importlib.invalidate_caches()
    for path in sorted(shipped("tasks").glob("*.py")):
        name = f"t2t_tasks.{path.stem}"
        if name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except Exception as error:
            raise UserError(f"Importing {path} failed: {described(error)}") from error


def defining_modules(item: Task | Mixture) -> list[str]:
    """The modules to import, in another process, to find the task or mixture by its name there.

    Raises:
      UserError: if it, or a part of it, is not registered, or was defined in a script or notebook.
    """
    if get_mixture_or_task(item.name) is not item:
        raise UserError(
            f"Other processes find '{item.name}' by its name, which is registered for another task "
            f"or mixture."
        )
    modules = []
    for part in [*leaf_tasks(item), item]:
        registry = MixtureRegistry if isinstance(part, Mixture) else TaskRegistry
        if registry.maybe_get(part.name) is not part:
            raise UserError(f"'{part.name}' is not registered, so other processes cannot find it.")
        module = registry.defining_module(part.name)
        if module == "__main__":
            raise UserError(
                f"'{part.name}' is defined in a script or notebook, at "
                f"{registry.defined_at(part.name)}; other processes can only find what is defined "
                f"in a module. Move it to one, and import that."
            )
        modules.append(module)
    return list(dict.fromkeys(modules))


def import_modules(names: Sequence[str]) -> None:
    """Imports the modules that `defining_modules` named."""
    import_shipped_tasks()
    for name in names:
        if name not in sys.modules:
            importlib.import_module(name)


@dataclasses.dataclass(frozen=True)
class _Place:
    file: str
    line: int
    module: str

    def __str__(self):
        return f"{self.file}:{self.line}"


def _caller() -> _Place:
    """The line outside t2t.data that is running, and the module whose import got there."""
    frames, frame = [], inspect.currentframe()  # inspect.stack() takes a millisecond
    while frame:
        if not frame.f_globals.get("__name__", "").startswith("t2t.data."):
            frames.append(frame)
        frame = frame.f_back
    importing = (f for f in frames if f.f_code.co_name == "<module>")
    module = next((f.f_globals["__name__"] for f in importing), "__main__")
    return _Place(frames[0].f_code.co_filename, frames[0].f_lineno, module)
