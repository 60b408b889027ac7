"""Random-access sources of raw examples."""

from t2t.data.sources.base import DataSource as DataSource
from t2t.data.sources.base import Example as Example
from t2t.data.sources.memory import FunctionDataSource as FunctionDataSource
from t2t.data.sources.memory import InMemoryDataSource as InMemoryDataSource
from t2t.data.sources.text_lines import TextLineDataSource as TextLineDataSource
