"""Plain functions on one example: raw fields in, `inputs` and `targets` out.

A preprocessor takes a dict and returns a dict, None to drop the example, or several dicts (a list
or a generator). It may ask for more by naming an argument: `rng` (a NumPy generator that depends
only on the seed, the draw and the example), `sequence_length`, `output_features`, or `index` (the
number of the raw example).

What has settings is called where the task is defined and returns the preprocessor: `squad()`,
`glue("rte", labels)`. What has none is one itself: `stsb`, `wsc`, `record`, `trivia_qa`,
`squad_span_space_tokenized`, `lm`, `append_eos`, `append_eos_after_trim`, `truncate_inputs_left`.
"""

from t2t.data.preprocessors.apply import Chain as Chain
from t2t.data.preprocessors.apply import Context as Context
from t2t.data.preprocessors.apply import Preprocessor as Preprocessor
from t2t.data.preprocessors.apply import apply_preprocessors as apply_preprocessors
from t2t.data.preprocessors.cache_placeholder import (
    CacheDatasetPlaceholder as CacheDatasetPlaceholder,
)
from t2t.data.preprocessors.coreference import (
    definite_pronoun_resolution_simple as definite_pronoun_resolution_simple,
)
from t2t.data.preprocessors.coreference import wsc as wsc
from t2t.data.preprocessors.coreference import wsc_simple as wsc_simple
from t2t.data.preprocessors.few_shot import fewshot_preprocessor as fewshot_preprocessor
from t2t.data.preprocessors.glue import glue as glue
from t2t.data.preprocessors.glue import glue_text_preprocessor as glue_text_preprocessor
from t2t.data.preprocessors.glue import stsb as stsb
from t2t.data.preprocessors.question_answering import record as record
from t2t.data.preprocessors.question_answering import squad as squad
from t2t.data.preprocessors.question_answering import (
    squad_span_space_tokenized as squad_span_space_tokenized,
)
from t2t.data.preprocessors.question_answering import trivia_qa as trivia_qa
from t2t.data.preprocessors.random_templates import random_template as random_template
from t2t.data.preprocessors.rank_classification import rank_classification as rank_classification
from t2t.data.preprocessors.rank_classification import (
    rank_classification_formatter as rank_classification_formatter,
)
from t2t.data.preprocessors.sentences import neighboring_pairs as neighboring_pairs
from t2t.data.preprocessors.sentences import next_sentence_prediction as next_sentence_prediction
from t2t.data.preprocessors.spacing import pad_nonspaced_languages as pad_nonspaced_languages
from t2t.data.preprocessors.spacing import pad_punctuation as pad_punctuation
from t2t.data.preprocessors.tabular import parse_tsv as parse_tsv
from t2t.data.preprocessors.tabular import preprocess_tsv as preprocess_tsv
from t2t.data.preprocessors.templates import lm as lm
from t2t.data.preprocessors.templates import (
    preprocess_tensorflow_examples as preprocess_tensorflow_examples,
)
from t2t.data.preprocessors.templates import rekey as rekey
from t2t.data.preprocessors.templates import summarize as summarize
from t2t.data.preprocessors.templates import text_to_text as text_to_text
from t2t.data.preprocessors.token_chunks import select_random_chunk as select_random_chunk
from t2t.data.preprocessors.token_chunks import split_tokens as split_tokens
from t2t.data.preprocessors.token_chunks import (
    split_tokens_to_inputs_length as split_tokens_to_inputs_length,
)
from t2t.data.preprocessors.token_chunks import (
    split_tokens_to_random_length as split_tokens_to_random_length,
)
from t2t.data.preprocessors.token_chunks import (
    split_tokens_to_targets_length as split_tokens_to_targets_length,
)
from t2t.data.preprocessors.token_chunks import trim_tokens_at_front as trim_tokens_at_front
from t2t.data.preprocessors.token_chunks import (
    trivia_qa_truncate_inputs as trivia_qa_truncate_inputs,
)
from t2t.data.preprocessors.tokens import append_eos as append_eos
from t2t.data.preprocessors.tokens import append_eos_after_trim as append_eos_after_trim
from t2t.data.preprocessors.tokens import tokenize as tokenize
from t2t.data.preprocessors.tokens import tokenize_and_append_eos as tokenize_and_append_eos
from t2t.data.preprocessors.tokens import truncate_inputs_left as truncate_inputs_left
from t2t.data.preprocessors.translation import multi_translate as multi_translate
from t2t.data.preprocessors.translation import translate as translate
from t2t.data.preprocessors.wnli import wnli_simple as wnli_simple
from t2t.data.preprocessors.words import fill_in_the_blank as fill_in_the_blank
from t2t.data.preprocessors.words import fill_in_the_blank_sized as fill_in_the_blank_sized
from t2t.data.preprocessors.words import filter_by_string_length as filter_by_string_length
from t2t.data.preprocessors.words import random_split_text as random_split_text
from t2t.data.preprocessors.words import split_text_to_words as split_text_to_words
