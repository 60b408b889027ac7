"""Random-access sources of raw examples. Importing this imports no optional library."""

from t2t.data.sources.archives import Archive as Archive
from t2t.data.sources.archives import ArchiveDataSource as ArchiveDataSource
from t2t.data.sources.array_record import ArrayRecordFile as ArrayRecordFile
from t2t.data.sources.base import DataSource as DataSource
from t2t.data.sources.base import Example as Example
from t2t.data.sources.by_field import ByFieldDataSource as ByFieldDataSource
from t2t.data.sources.by_field import FieldIndex as FieldIndex
from t2t.data.sources.csv_rows import CsvDataSource as CsvDataSource
from t2t.data.sources.few_shot import FewShotDataSource as FewShotDataSource
from t2t.data.sources.files import FileDataSource as FileDataSource
from t2t.data.sources.hash_split import HashSplitDataSource as HashSplitDataSource
from t2t.data.sources.hugging_face import HuggingFaceDataSource as HuggingFaceDataSource
from t2t.data.sources.json_lines import JsonLinesDataSource as JsonLinesDataSource
from t2t.data.sources.memory import FunctionDataSource as FunctionDataSource
from t2t.data.sources.memory import InMemoryDataSource as InMemoryDataSource
from t2t.data.sources.natural_instructions import (
    NaturalInstructionsDataSource as NaturalInstructionsDataSource,
)
from t2t.data.sources.parquet import ParquetDataSource as ParquetDataSource
from t2t.data.sources.raw_records import ArrayRecordDataSource as ArrayRecordDataSource
from t2t.data.sources.raw_records import TFRecordDataSource as TFRecordDataSource
from t2t.data.sources.records import RecordFile as RecordFile
from t2t.data.sources.skipped import BadRecordError as BadRecordError
from t2t.data.sources.skipped import SkippedRecords as SkippedRecords
from t2t.data.sources.split import SplitDataSource as SplitDataSource
from t2t.data.sources.text_lines import TextLineDataSource as TextLineDataSource
from t2t.data.sources.tf_example import TFExampleDataSource as TFExampleDataSource
from t2t.data.sources.tf_example_features import TFExampleFeature as TFExampleFeature
from t2t.data.sources.tfds import TfdsDataSource as TfdsDataSource
from t2t.data.sources.tfds_folders import TfdsSplit as TfdsSplit
from t2t.data.sources.tfrecord import TFRecordFile as TFRecordFile
from t2t.data.sources.truncated import TruncatedDataSource as TruncatedDataSource
