"""Mistakes in reading transcoders, with which every number would be a little, or quite, another."""

from tools.mutants.mutation import Mutation

TRANSCODER = "circuit_widget/transcoder/"
FORMATS = TRANSCODER + "formats/"

CROSS_LAYER = ("tests/transcoder/test_cross_layer_formats.py",)
DECODE_CLT = ("tests/transcoder/test_decode_clt_format.py",)
JOINT = ("tests/transcoder/test_joint_top_k.py",)
EXCHANGE = "circuit_widget/examples/exchange/"
SETS = ("tests/examples/test_circuit_tracer_files.py",)
EXPORTS = ("tests/examples/test_neuronpedia_files.py",)
LABELS = ("tests/labels/test_read_labels.py",)
WRITTEN = ("tests/examples/test_export.py",)
JOINT_RUNS = ("tests/intervention/test_joint_top_k.py",)

MUTATIONS = (
    Mutation(
        "a link that repeats one of an earlier block takes its place",
        "circuit_widget/graph/formats/viewer_links.py",
        "    seen.reshape(-1)[key] = True\n",
        "",
        ("tests/graph/test_viewer_links.py",),
    ),
    Mutation(
        "one TopK over all layers keeps k of them, not k for each layer",
        FORMATS + "joint_top_k.py",
        '"k") * len(paths)',
        '"k")',
        JOINT,
    ),
    Mutation(
        "features of all layers are ranked without their norms",
        TRANSCODER + "joint_top_k.py",
        "return values, values * self.weights[layer]",
        "return values, values",
        JOINT,
    ),
    Mutation(
        "what layers read in a re-run does not count in their choice",
        "circuit_widget/intervention/execution/joint_reading.py",
        "started = batch.mlp_inputs.get(layer, on_prompt[None][:0])",
        "started = on_prompt[None][:0]",
        JOINT_RUNS,
    ),
    Mutation(
        "a changed feature that is not active on the prompt is read as if it were",
        "circuit_widget/intervention/execution/measure.py",
        "(self._plan.before[clamps.index] != 0)",
        "(self._plan.before[clamps.index] == self._plan.before[clamps.index])",
        JOINT_RUNS,
    ),
    Mutation(
        "the decoder biases of a layer are not all added",
        FORMATS + "clt_forge.py",
        "for source in range(layer + 1)]].sum(0)",
        "for source in range(layer + 1)]].mean(0)",
        CROSS_LAYER,
    ),
    Mutation(
        "a scale of inputs is left out of encoder rows",
        TRANSCODER + "layer.py",
        "return rows if self.input_scale is None else rows * self.input_scale",
        "return rows",
        CROSS_LAYER,
    ),
    Mutation(
        "means of inputs are not folded",
        FORMATS + "decode_clt.py",
        "bias = bias - times(encoder, mean * scale_in)",
        "bias = bias * 1",
        DECODE_CLT,
    ),
    Mutation(
        "TopK ignores the norms of what features write",
        FORMATS + "llamascopium.py",
        "WeightedTopK(k, squares.sqrt())",
        "WeightedTopK(k, torch.ones_like(squares))",
        ("tests/transcoder/test_llamascopium_format.py",),
    ),
    Mutation(
        "features of an autoencoder's class read x with the decoder bias",
        FORMATS + "dictionary_learning.py",
        "bias - times(encoder, decoder_bias) if kind.subtracts else bias",
        "bias",
        ("tests/transcoder/test_dictionary_learning_format.py",),
    ),
    Mutation(
        "layers of a partial set move down",
        FORMATS + "layer_files.py",
        "found = dict(zip(numbers, layers, strict=True))",
        "found = dict(enumerate(layers))",
        ("tests/transcoder/test_partial_sets.py",),
    ),
    Mutation(
        "a model runs without its adapters",
        "circuit_widget/model/mlp_adapters.py",
        "isinstance(output, tuple) else output + written",
        "isinstance(output, tuple) else output",
        ("tests/transcoder/test_adapters.py",),
    ),
    Mutation(
        "layer and feature of a published number change places",
        "circuit_widget/feature_ids.py",
        "return total - feature, feature",
        "return feature, total - feature",
        SETS,
    ),
    Mutation(
        "published examples of a set with more features are taken for those of this one",
        EXCHANGE + "circuit_tracer.py",
        "if count != expected[layer]:",
        "if count < expected[layer]:",
        SETS,
    ),
    Mutation(
        "examples of two sets of sources are mixed",
        EXCHANGE + "neuronpedia.py",
        "if len(self._sets) > 1:",
        "if len(self._sets) > 2:",
        EXPORTS,
    ),
    Mutation(
        "the examples of a range pass for the strongest ones",
        EXCHANGE + "neuronpedia.py",
        "return float(least), float(most)",
        "return STRONGEST",
        EXPORTS,
    ),
    Mutation(
        "the number of a feature that contradicts its layer is taken",
        "circuit_widget/graph/formats/viewer_nodes.py",
        'if layer != layer_of(place, entry):\n        raise ValueError(f"{place}.feature is {number}, which does',
        'if False:\n        raise ValueError(f"{place}.feature is {number}, which does',
        LABELS,
    ),
    Mutation(
        "a feature without examples gets those of its neighbour",
        EXCHANGE + "store.py",
        "(feature + 1 - len(starts))",
        "(feature + 2 - len(starts))",
        WRITTEN,
    ),
)
