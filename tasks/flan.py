"""The Flan Collection (Longpre et al., arXiv 2301.13688), as its five parts are published.

Files of JSON Lines with "inputs" and "targets" for each part, with and without solved examples
("fs", "zs") and answer options ("opt", "noopt"), exported from the authors' code and published as
SirNeural/flan_v2 (Apache 2.0). They are looked for in `flan2022` in $T2T_DATA_DIR. The mixture
`flan2022` draws from the parts by the weights of the authors' code, and from the files of a part
alike. For files with a task each, or the names of tasks in them, see `t2t.add_collection`.
"""

from pathlib import Path

from t2t_tasks.t5_features import T5_FEATURES

from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.sources import JsonLinesDataSource
from t2t.data.sources.archives import data_folder
from t2t.errors import UserError

_SHOTS = ("zs", "fs")
_WITH_AND_WITHOUT_OPTIONS = tuple(f"{shots}_{opt}" for opt in ("opt", "noopt") for shots in _SHOTS)
_OPTIONS_ALONE = ("zs_opt", "fs_opt")

PARTS = {
    "flan": (0.4, _WITH_AND_WITHOUT_OPTIONS),  # Flan 2021
    "t0": (0.32, _WITH_AND_WITHOUT_OPTIONS),  # P3, without what is in Flan 2021
    "niv2": (0.2, _OPTIONS_ALONE),  # Super-NaturalInstructions
    "cot": (0.05, _OPTIONS_ALONE),  # chains of thought
    "dialog": (0.03, _OPTIONS_ALONE),
}
"""Weight of each part, and the files that are drawn from."""

_FETCH = (
    "pip install huggingface_hub && hf download --repo-type dataset SirNeural/flan_v2 --local-dir"
)


class _Part(JsonLinesDataSource):
    """A file of the collection; its absence is answered with how to fetch it."""

    def __init__(self, name: str):
        self._file = f"{name}_train.jsonl"
        super().__init__({"train": self._file})

    def files(self, split: str) -> tuple[Path, ...]:
        self._check(split)
        folder = data_folder() / "flan2022"
        found = [
            path for path in (folder / self._file, folder / f"{self._file}.gz") if path.exists()
        ]
        if not found:
            raise UserError(
                f"The Flan Collection's '{self._file}.gz' is not in '{folder}'. Fetch it with "
                f"`{_FETCH} {folder}`, or name another folder: T2T_DATA_DIR."
            )
        return tuple(found[:1])


for _part, (_, _kinds) in PARTS.items():
    _tasks = [
        TaskRegistry.add(
            f"flan2022_{_part}_{_kind}",
            source=_Part(f"{_part}_{_kind}"),
            output_features=T5_FEATURES,
        )
        for _kind in _kinds
    ]
    MixtureRegistry.add(f"flan2022_{_part}", _tasks, default_rate=1.0)
MixtureRegistry.add(
    "flan2022", [(f"flan2022_{_part}", _weight) for _part, (_weight, _) in PARTS.items()]
)
