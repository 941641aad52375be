"""Mistakes in what figures look like in print: greys, sizes, fonts, and the files that state them."""

from tools.mutants.mutation import Mutation

SCENE = "circuit_widget/figure/scene/"
PRINT = ("tests/figure/test_print.py",)

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "signs have one grey without colour",
        SCENE + "theme.py",
        'style.INHIBIT: "#6c6c6c"',
        "style.INHIBIT: DARK",
        PRINT,
    ),
    Mutation(
        "rings of groups are not dashed without colour",
        SCENE + "theme.py",
        "    if ringed and paint.stroke in style.SUPERNODES:",
        "    if False:",
        PRINT,
    ),
    Mutation(
        "text on slides is as large as on paper",
        SCENE + "theme.py",
        "return style.PX_PER_INCH / SLIDES if",
        "return style.PX_PER_INCH if",
        PRINT,
    ),
    Mutation(
        "text in a chosen font is measured as Inter",
        "circuit_widget/figure/figure.py",
        "measured_with(None if font is None else font.advance, make)",
        "measured_with(None, make)",
        PRINT,
    ),
    Mutation(
        "a PNG states another resolution than it has",
        "circuit_widget/figure/output/png.py",
        "per_metre = round(dots_per_inch / 0.0254)",
        "per_metre = round(72 / 0.0254)",
        ("tests/figure/test_figure.py",),
    ),
    Mutation(
        "an unlikely token is a new answer",
        "circuit_widget/intervention/injected_edges.py",
        "max(OUTPUT_LEAST, NEW_ANSWER_SHARE * likeliest)",
        "NEW_ANSWER_SHARE * likeliest",
        ("tests/figure/test_outcome.py",),
    ),
    Mutation(
        "circuits of different prompts have a layout each",
        SCENE + "panels_scene.py",
        "return _aligned(panels, pictures, width)",
        "return pictures",
        ("tests/figure/test_panels.py",),
    ),
    Mutation(
        "text of a figure is a command of LaTeX",
        "circuit_widget/figure/output/tikz.py",
        "ESCAPES[character] if character in ESCAPES else _plain(character)",
        "character",
        ("tests/figure/test_tikz.py",),
    ),
    Mutation(
        "edges that inhibit are solid in TikZ",
        "circuit_widget/figure/output/tikz.py",
        "        if paint.dash:",
        "        if False:",
        ("tests/figure/test_tikz.py",),
    ),
)
