"""A small graph in the JSON of circuit-tracer and Neuronpedia, written by hand."""

from typing import Any

PROMPT = ["<bos>", "The", " capital"]
N_LAYERS = 2


def pairing(layer: int, feature: int) -> int:
    """Cantor's pairing function, counted along the diagonals."""
    return sum(range(layer + feature + 1)) + feature


def node(node_id: str, kind: str, layer: str, position: int, number: int, **others: Any) -> dict[str, Any]:
    return {
        "node_id": node_id, "feature": number, "layer": layer, "ctx_idx": position, "feature_type": kind,
        "token_prob": 0.0, "is_target_logit": False, "run_idx": 0, "reverse_ctx_idx": 0, "jsNodeId": "x", "clerp": "",
        "influence": 0.5, "activation": None,
    } | others  # fmt: skip


def feature(layer: int, number: int, position: int, activation: float | None = 1.5, **others: Any) -> dict[str, Any]:
    own = {"activation": activation, "jsNodeId": f"{layer}_{number}-0"}
    kind = "cross layer transcoder"
    return node(f"{layer}_{number}_{position}", kind, str(layer), position, pairing(layer, number), **own | others)


def error(layer: int, position: int, **others: Any) -> dict[str, Any]:
    return node(f"0_{layer}_{position}", "mlp reconstruction error", str(layer), position, -1, **others)


def token(vocabulary: int, position: int, **others: Any) -> dict[str, Any]:
    name = {"jsNodeId": f"E_{vocabulary}-{position}"}
    return node(f"E_{vocabulary}_{position}", "embedding", "E", position, position, **name | others)


def logit(vocabulary: int, text: str, probability: float, **others: Any) -> dict[str, Any]:
    label = f'Output "{text}" (p={probability:.3f})'
    own = {"token_prob": probability, "clerp": label, "influence": None, "jsNodeId": f"L_{vocabulary}-2"}
    return node(f"{N_LAYERS + 1}_{vocabulary}_2", "logit", str(N_LAYERS + 1), 2, vocabulary, **own | others)


def link(source: str, target: str, weight: float) -> dict[str, Any]:
    return {"source": source, "target": target, "weight": weight}


def document() -> dict[str, Any]:
    """Two features and an error between three tokens and two logits; nodes and links are in no order."""
    return {
        "metadata": {
            "slug": "a-capital", "scan": "gemma-2-2b", "transcoder_list": [], "prompt_tokens": list(PROMPT),
            "prompt": "<bos>The capital", "node_threshold": 0.8, "schema_version": 1, "own key": {"kept": [1, None]},
        },
        "qParams": {"pinnedIds": [], "supernodes": [], "linkType": "both", "clickedId": "", "sg_pos": ""},
        "nodes": [
            logit(7, " Paris", 0.6, is_target_logit=True),
            feature(1, 9, 2, 2.5, clerp="a capital"),
            token(2, 0), token(50, 1), token(60, 2),
            error(1, 1),
            feature(0, 57794, 1, -0.5),
            logit(8, " Lyon", 0.25),
        ],
        "links": [
            link("0_57794_1", "1_9_2", -0.75), link("E_50_1", "0_57794_1", 2.0), link("1_9_2", "3_7_2", 1.25),
            link("0_1_1", "1_9_2", 0.5), link("E_60_2", "3_8_2", -3.0), link("1_9_2", "3_8_2", 0.125),
        ],
    }  # fmt: skip
