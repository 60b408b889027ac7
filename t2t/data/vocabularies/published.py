"""SentencePiece models that others publish, for which a user may have a copy, or another model."""

import functools
import logging
import os
from pathlib import Path, PurePosixPath
from typing import Any

from t2t.data.vocabularies.base import digest
from t2t.data.vocabularies.sentence_piece import SentencePieceVocabulary, model_file
from t2t.errors import UserError, described

log = logging.getLogger(__name__)


class PublishedVocabulary(SentencePieceVocabulary):
    """A published SentencePiece model, fetched when it is first used, not when tasks are defined.

    It is kept in the cache folder. An environment variable, read on first use, names a local or
    remote file to use instead. Raises UserError then, with how to get the model, if the file cannot
    be had.
    """

    def __init__(self, url: str, variable: str, extra_ids: int = 100, **options: Any):
        """Makes a vocabulary.

        Args:
          url: where the model is published and never changes, "gs://…" for Google's storage.
          variable: name of the environment variable.
          extra_ids: number of sentinels.
          **options: other arguments of `SentencePieceVocabulary`.
        """
        super().__init__(url, extra_ids, **options)
        self.variable = variable

    def __eq__(self, other: object) -> bool:
        """As `SentencePieceVocabulary`; two that are published are told apart without fetching."""
        if isinstance(other, PublishedVocabulary) and self.file != other.file:
            return False
        return super().__eq__(other)

    __hash__ = SentencePieceVocabulary.__hash__

    def __repr__(self) -> str:
        file = os.environ.get(self.variable) or self.file
        return f"{type(self).__name__}('{file}'{self._suffix()})"

    @functools.cached_property
    def path(self) -> Path:
        """The file that the environment variable names, else a copy of the published one."""
        own = os.environ.get(self.variable)
        page = self.file.replace("gs://", "https://storage.googleapis.com/")
        try:
            return model_file(own) if own else _downloaded(page)
        except UserError as error:
            source = f" (${self.variable} says '{own}'.)" if own else ""
            raise UserError(
                f"{error}{source} Either fetch the vocabulary, `curl -O {page}`, or take another "
                f"SentencePiece model, and say where it is, `export "
                f"{self.variable}=/path/to/sentencepiece.model`; or make the task anew in a "
                f"vocabulary of your own with `t2t.data.variants.with_new_vocabulary`."
            ) from error


def _downloaded(page: str) -> Path:
    """The copy of a public file in the cache folder; without credentials, and only once."""
    import http.client  # here, as tasks are defined without
    import urllib.request

    from t2t.data.sources.cache_folder import cache_folder, written_atomically

    target = cache_folder() / "published" / digest(page.encode()) / PurePosixPath(page).name
    if target.exists():
        return target
    log.info("fetching %s", page)
    try:
        with urllib.request.urlopen(page, timeout=60) as source:
            content = source.read()  # some megabytes
        with written_atomically(target) as file:
            file.write(content)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(
            f"The vocabulary {page} cannot be fetched to '{target.parent}' (below "
            f"$T2T_CACHE_DIR): {described(error)}."
        ) from error
    return target
