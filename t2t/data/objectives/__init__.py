"""Self-supervised objectives: raw token segments in, (inputs, targets) token pairs out."""

from t2t.data.objectives.span_corruption import SpanCorruption as SpanCorruption
