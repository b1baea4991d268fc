"""config.json and its companions, with the keys of the published files."""

from tools.checkpoint.presets import PATTERN_NAMES
from tools.checkpoint.towers import audio_config, vision_config

TRANSFORMERS = "5.5.0.dev0"  # what the published files name
PUBLISHED_MEDIA = {
    "boi_token_id": 255999,
    "boa_token_id": 256000,
    "image_token_id": 258880,
    "audio_token_id": 258881,
    "eoi_token_id": 258882,
    "eoa_token_id": 258883,
    "video_token_id": 258884,
}
MEDIA_TOKENS = {
    "boi_token_id": "<|image>",
    "boa_token_id": "<|audio>",
    "image_token_id": "<|image|>",
    "audio_token_id": "<|audio|>",
    "eoi_token_id": "<image|>",
    "eoa_token_id": "<audio|>",
    "video_token_id": "<|video|>",
}


def _per_layer(sizes):
    """Overrides of the full layers as transformers 5.15 and later write them: padded numbers."""
    digits = len(str(len(sizes.layers) - 1))
    override = {"head_dim": sizes.global_head_dim}
    if sizes.global_kv_heads:
        override["num_key_value_heads"] = sizes.global_kv_heads
    return {f"{i:0{digits}d}": override for i, kind in enumerate(sizes.layers) if kind == "F"}


def text_config(sizes, form, dtype):
    config = {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "attention_k_eq_v": False,
        "bos_token_id": 2,
        "dtype": dtype,
        "enable_moe_block": False,
        "eos_token_id": 1,
        "expert_intermediate_size": None,
        "final_logit_softcapping": 30.0,
        "global_head_dim": sizes.global_head_dim,
        "head_dim": sizes.head_dim,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": sizes.hidden,
        "hidden_size_per_layer_input": sizes.ple,
        "initializer_range": 0.02,
        "intermediate_size": sizes.inner,
        "layer_types": [PATTERN_NAMES[kind] for kind in sizes.layers],
        "max_position_embeddings": sizes.max_positions,
        "model_type": "gemma4_text",
        "num_attention_heads": sizes.heads,
        "num_experts": None,
        "num_global_key_value_heads": None,
        "num_hidden_layers": len(sizes.layers),
        "num_key_value_heads": sizes.kv_heads,
        "num_kv_shared_layers": sizes.shared,
        "pad_token_id": 0,
        "rms_norm_eps": 1e-06,
        "rope_parameters": {
            "full_attention": {
                "partial_rotary_factor": 0.25,
                "rope_theta": 1000000.0,
                "rope_type": "proportional",
            },
            "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"},
        },
        "sliding_window": sizes.window,
        "tie_word_embeddings": True,
        "top_k_experts": None,
        "use_bidirectional_attention": None,
        "use_cache": True,
        "use_double_wide_mlp": sizes.double_wide,
        "vocab_size": sizes.vocab,
        "vocab_size_per_layer_input": sizes.vocab,
    }
    if form == "per_layer_config":
        del config["global_head_dim"], config["num_global_key_value_heads"]
        config["per_layer_config"] = _per_layer(sizes)
    return config


def model_config(sizes, form, dtype, media_ids, towers):
    return {
        "architectures": ["Gemma4ForConditionalGeneration"],
        "audio_config": audio_config(sizes, dtype) if towers else None,
        "audio_token_id": media_ids["audio_token_id"],
        "boa_token_id": media_ids["boa_token_id"],
        "boi_token_id": media_ids["boi_token_id"],
        "dtype": dtype,
        "eoa_token_id": media_ids["eoa_token_id"],
        "eoa_token_index": media_ids["eoa_token_id"],
        "eoi_token_id": media_ids["eoi_token_id"],
        "eos_token_id": [1, 106],
        "image_token_id": media_ids["image_token_id"],
        "initializer_range": 0.02,
        "model_type": "gemma4",
        "text_config": text_config(sizes, form, dtype),
        "tie_word_embeddings": True,
        "transformers_version": TRANSFORMERS,
        "video_token_id": media_ids["video_token_id"],
        "vision_config": vision_config(sizes, dtype) if towers else None,
        "vision_soft_tokens_per_image": 280,
    }


def quantization_config(form, group, plain, blocks):
    """What AutoRound or GPTQModel write; `plain` names the linears in `blocks` that stay plain."""
    if form == "auto-round":
        return {
            "autoround_version": "0.16.1",
            "bits": 4,
            "block_name_to_quantize": blocks,
            "data_type": "int",
            "extra_config": {name: {"bits": 16, "data_type": "float"} for name in plain},
            "group_size": group,
            "iters": 0,
            "packing_format": "auto_round:auto_gptq",
            "quant_method": "auto-round",
            "sym": True,
        }
    config = {
        "bits": 4,
        "checkpoint_format": form,
        "damp_percent": 0.01,
        "desc_act": False,
        "dynamic": {"-:^" + name.replace(".", r"\.") + "$": {} for name in plain},
        "group_size": group,
        "lm_head": False,
        "pack_dtype": "int32",
        "quant_method": "gptq",
        "sym": True,
        "true_sequential": True,
    }
    if form == "gptq_v2":  # the spelling of GPTQModel 7.7: the new names stand beside the old ones
        config.update(method="gptq", format="gptq_v2")
    return config


GENERATION = {
    "bos_token_id": 2,
    "do_sample": True,
    "eos_token_id": [1, 106, 50],
    "pad_token_id": 0,
    "temperature": 1.0,
    "top_k": 64,
    "top_p": 0.95,
    "transformers_version": TRANSFORMERS,
}

TOKENIZER = {
    "audio_token": "<|audio|>",
    "backend": "tokenizers",
    "boa_token": "<|audio>",
    "boi_token": "<|image>",
    "bos_token": "<bos>",
    "eoa_token": "<audio|>",
    "eoc_token": "<channel|>",
    "eoi_token": "<image|>",
    "eos_token": "<eos>",
    "eot_token": "<turn|>",
    "escape_token": '<|"|>',
    "etc_token": "<tool_call|>",
    "etd_token": "<tool|>",
    "etr_token": "<tool_response|>",
    "extra_special_tokens": ["<|video|>"],
    "image_token": "<|image|>",
    "mask_token": "<mask>",
    "model_max_length": 1000000000000000019884624838656,
    "pad_token": "<pad>",
    "padding_side": "left",
    "processor_class": "Gemma4Processor",
    "soc_token": "<|channel>",
    "sot_token": "<|turn>",
    "stc_token": "<|tool_call>",
    "std_token": "<|tool>",
    "str_token": "<|tool_response>",
    "think_token": "<|think|>",
    "tokenizer_class": "GemmaTokenizer",
    "unk_token": "<unk>",
}
