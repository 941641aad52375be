"""A small graph of a complete replacement model, in the JSON that Neuronpedia makes of one, written by hand."""

from typing import Any

from tests.graph.viewer_files import PROMPT, link, pairing

N_LAYERS = 2


def crm_node(
    name: str, kind: str, layer: int | str, position: int, number: int | None, **others: Any
) -> dict[str, Any]:
    return {
        "node_id": name, "jsNodeId": name, "feature": number, "feature_type": kind, "layer": layer, "ctx_idx": position,
        "clerp": f"F{number}", "activation": None, "influence": 0.25,
    } | others  # fmt: skip


def crm_feature(kind: str, layer: int, number: int, position: int, **others: Any) -> dict[str, Any]:
    name = f"{layer}_{kind[:3]}_{number}_{position}"
    return crm_node(name, kind, layer, position, pairing(layer, number), activation=1.5, **others)


def crm_document() -> dict[str, Any]:
    """Attention features and those of an MLP in the same layers, an error of each, two biases, and contributors to QK."""
    qk = {
        "pair_wise_contributors": [["0_cro_5_1", "9_cro_1_1", 0.5]],
        "top_q_marginal_contributors": [["0_cro_5_1", 0.25]],
        "top_k_marginal_contributors": [],
    }
    return {
        "metadata": {
            "slug": "a-capital", "scan": "qwen3-1.7b", "prompt_tokens": list(PROMPT), "prompt": "<bos>The capital",
            "schema_version": 1, "node_threshold": 0.8,
            "feature_details": {"neuronpedia_source_set": "a", "neuronpedia_lorsa_source_set": "b"},
        },
        "qParams": {},
        "nodes": [
            crm_node("E_50_1", "embedding", "E", 1, None, clerp='Emb: "The"', token="The"),
            crm_feature("lorsa", 1, 5, 2, clerp="moves the country", qk_tracing_results=qk),
            crm_feature("cross layer transcoder", 0, 5, 1),
            crm_feature("cross layer transcoder", 1, 5, 2),
            crm_node("1_error_attn_2", "lorsa error", 1, 2, None, clerp='Err: attn " capital"'),
            crm_node("1_error_mlp_2", "mlp reconstruction error", 1, 2, None, clerp='Err: mlp " capital"'),
            crm_node("1_bias_tc_bD_2", "bias", 1, 2, None, clerp="L1 Bias (tc_bD)"),
            crm_node("1_bias_lorsa_bQ_2", "bias", 1, 2, None, clerp="L1 Bias (lorsa_bQ)"),
            crm_node("2_7_2", "logit", 2, 2, 7, clerp='Logit " Paris" (p=0.600)', token_prob=0.6, token=" Paris"),
        ],
        "links": [
            link("E_50_1", "0_cro_5_1", 2.0), link("0_cro_5_1", "1_lor_5_2", 0.5), link("1_lor_5_2", "1_cro_5_2", 0.75),
            link("1_error_attn_2", "1_cro_5_2", 0.125), link("1_error_mlp_2", "2_7_2", 0.25),
            link("1_bias_tc_bD_2", "2_7_2", -0.25), link("1_cro_5_2", "2_7_2", 1.25),
        ],
        "qk_only_nodes": {"9_cro_1_1": crm_feature("cross layer transcoder", 0, 1, 1)},
    }  # fmt: skip
