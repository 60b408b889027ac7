"""Tasks whose data are in packages, read anew in each test."""

import sys

from t2t.data.registry import get_mixture_or_task, import_shipped_tasks
from t2t.data.sources.archives import ArchiveDataSource


def module(name):
    import_shipped_tasks()
    return sys.modules[f"t2t_tasks.{name}"]


def read_anew(task):
    """The task, with nothing of its data read yet."""
    source = task.source
    fresh = ArchiveDataSource(source._dataset_fn, source.splits, source.archives)
    return task.replace(source=fresh)


def everyday_tasks():
    return [read_anew(task) for task in get_mixture_or_task("everyday").tasks]
