"""Hugging Face's PyTorch T5 with random weights, and its parameters in our layout."""

import dataclasses

import numpy as np
import torch
import transformers

from t2t.models.config import T5Config

V1_0 = T5Config(
    vocab_size=48,
    d_model=16,
    d_ff=24,
    num_heads=2,
    head_dim=6,  # heads * head_dim != d_model
    num_encoder_layers=2,
    num_decoder_layers=3,
    mlp_activations=("relu",),
    tie_embeddings=True,
)
V1_1 = dataclasses.replace(V1_0, mlp_activations=("gelu", "linear"), tie_embeddings=False)

_ATTENTION = {"query": "q", "key": "k", "value": "v", "out": "o"}


def random_model(config: T5Config, seed: int) -> transformers.T5ForConditionalGeneration:
    """A model whose norms and biases differ from one and zero, so that none of them can hide."""
    torch.manual_seed(seed)
    model = transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=config.vocab_size,
            d_model=config.d_model,
            d_ff=config.d_ff,
            d_kv=config.head_dim,
            num_heads=config.num_heads,
            num_layers=config.num_encoder_layers,
            num_decoder_layers=config.num_decoder_layers,
            relative_attention_num_buckets=config.relative_attention_num_buckets,
            relative_attention_max_distance=config.relative_attention_max_distance,
            layer_norm_epsilon=config.layer_norm_epsilon,
            feed_forward_proj="relu" if config.mlp_activations == ("relu",) else "gated-gelu",
            tie_word_embeddings=config.tie_embeddings,
            decoder_start_token_id=0,
            pad_token_id=0,
            eos_token_id=1,
        )
    ).eval()
    if not config.tie_embeddings:  # transformers 5 ties them whatever its configuration says
        weight = torch.randn(config.vocab_size, config.d_model) * config.d_model**-0.5
        model.lm_head.weight = torch.nn.Parameter(weight)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "layer_norm" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
            elif "relative_attention_bias" in name:
                parameter.normal_()
    return model


def to_t2t(tensors: dict[str, np.ndarray], config: T5Config) -> dict:
    """Parameters, or their gradients, by the names of PyTorch -> nested dict of ours."""
    unused = dict(tensors)

    def kernel(name):
        return unused.pop(f"{name}.weight").T  # Linear is [out, in]

    def scale(name):
        return {"scale": unused.pop(f"{name}.weight")}

    def attention(name):
        return {ours: {"kernel": kernel(f"{name}.{theirs}")} for ours, theirs in _ATTENTION.items()}

    def feed_forward(name):
        wi = ["wi"] if len(config.mlp_activations) == 1 else ["wi_0", "wi_1"]
        return {w: {"kernel": kernel(f"{name}.DenseReluDense.{w}")} for w in [*wi, "wo"]}

    def encoder_layer(name):
        return {
            "pre_attention_layer_norm": scale(f"{name}.0.layer_norm"),
            "attention": attention(f"{name}.0.SelfAttention"),
            "pre_mlp_layer_norm": scale(f"{name}.1.layer_norm"),
            "mlp": feed_forward(f"{name}.1"),
        }

    def decoder_layer(name):
        return {
            "pre_self_attention_layer_norm": scale(f"{name}.0.layer_norm"),
            "self_attention": attention(f"{name}.0.SelfAttention"),
            "pre_cross_attention_layer_norm": scale(f"{name}.1.layer_norm"),
            "encoder_decoder_attention": attention(f"{name}.1.EncDecAttention"),
            "pre_mlp_layer_norm": scale(f"{name}.2.layer_norm"),
            "mlp": feed_forward(f"{name}.2"),
        }

    def stack(name, layer, num_layers):
        layers = [layer(f"{name}.block.{i}.layer") for i in range(num_layers)]
        bias = f"{name}.block.0.layer.0.SelfAttention.relative_attention_bias"
        return {
            "layers": _stacked(layers),
            "relpos_bias": {"rel_embedding": kernel(bias)},  # Embedding [buckets, heads]
            "final_norm": scale(f"{name}.final_layer_norm"),
        }

    params = {
        "token_embedder": {"embedding": unused.pop("shared.weight")},
        "encoder": stack("encoder", encoder_layer, config.num_encoder_layers),
        "decoder": stack("decoder", decoder_layer, config.num_decoder_layers),
    }
    if not config.tie_embeddings:
        params["logits_dense"] = {"kernel": kernel("lm_head")}
    assert not unused, f"left over: {sorted(unused)}"
    return params


def _stacked(trees: list) -> dict:
    if isinstance(trees[0], dict):
        return {name: _stacked([tree[name] for tree in trees]) for name in trees[0]}
    return np.stack(trees)


def params_of(model: transformers.T5ForConditionalGeneration, config: T5Config) -> dict:
    """The model's parameters in our layout; tied ones appear once."""
    return to_t2t({n: p.detach().numpy().copy() for n, p in model.named_parameters()}, config)


def logits_and_gradients(
    model: transformers.T5ForConditionalGeneration, config: T5Config, batch: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict]:
    """Logits, and the gradient of the cross-entropy summed over tokens of weight 1."""
    model.zero_grad()
    encoder_tokens = torch.from_numpy(batch["encoder_input_tokens"]).long()
    logits = model(
        input_ids=encoder_tokens,
        attention_mask=(encoder_tokens > 0).long(),
        decoder_input_ids=torch.from_numpy(batch["decoder_input_tokens"]).long(),
    ).logits
    targets = torch.from_numpy(batch["decoder_target_tokens"]).long()
    torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=0, reduction="sum"
    ).backward()
    gradients = {n: p.grad.numpy().copy() for n, p in model.named_parameters()}
    return logits.detach().numpy(), to_t2t(gradients, config)


def random_batch(config: T5Config, seed: int, lengths: tuple[int, int]) -> dict[str, np.ndarray]:
    """Two examples, the second shorter and padded."""
    rng = np.random.default_rng(seed)

    def tokens(length):
        rows = rng.integers(2, config.vocab_size, (2, length), dtype=np.int32)
        rows[1, 2 * length // 3 :] = 0
        return rows

    inputs, targets = map(tokens, lengths)
    return {
        "encoder_input_tokens": inputs,
        "decoder_input_tokens": np.pad(targets[:, :-1], ((0, 0), (1, 0))),
        "decoder_target_tokens": targets,
        "decoder_loss_weights": (targets > 0).astype(np.int32),
    }
