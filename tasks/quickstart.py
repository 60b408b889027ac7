"""The mixture that `gin/quickstart.gin` trains on."""

from t2t.data.registry import MixtureRegistry

MixtureRegistry.add(
    "quickstart",
    [("sotu_span_corruption", 1.0), ("spelling", 4.0), ("inflection", 2.0)],
)
