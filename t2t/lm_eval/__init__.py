"""t2t's models in lm-evaluation-harness (https://github.com/EleutherAI/lm-evaluation-harness).

`t2t lm_eval` runs it. In Python, `simple_evaluate(model=T2TLM("runs/mine"), ...)` does, with
`T2TLM` of `t2t.lm_eval.model`, whose import registers the model "t2t".
"""
