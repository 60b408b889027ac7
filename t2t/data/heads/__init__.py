"""Rows for heads: texts and labels of ordinary tasks, as what classifiers are trained on.

Each kind of head has rows of its own: `ClassRows`, `TagRows`, `SpanRows`. `with_rows` puts them at
the end of a task, which stays what it was for its metrics: strings in, strings out.
"""

from t2t.data.heads.base import HeadRows as HeadRows
from t2t.data.heads.base import Reading as Reading
from t2t.data.heads.base import Row as Row
from t2t.data.heads.base import labels_of as labels_of
from t2t.data.heads.classification import ClassRows as ClassRows
from t2t.data.heads.classification import PairClassRows as PairClassRows
from t2t.data.heads.framing import Framing as Framing
from t2t.data.heads.framing import longest_first as longest_first
from t2t.data.heads.spans import SpanRows as SpanRows
from t2t.data.heads.tagging import TagRows as TagRows
from t2t.data.heads.tasks import with_rows as with_rows
