"""mBART: BART with norms before residual branches and after the last layer."""

from t2t.interop.families.bart import BartFamily
from t2t.models.residual import PreNorm


class MBartFamily(BartFamily):
    """MBartForConditionalGeneration and MBartModel.

    Where config.json has no `decoder_start_token_id`, the decoder sees the end token first, as in
    mBART-50 (https://arxiv.org/abs/2008.00401).
    """

    model_types = ("mbart",)

    class_prefix = "MBart"
    placement = PreNorm()
    final_norm = True


FAMILY = MBartFamily()
