"""What the commands say of themselves: the texts of `circuit-widget --help` and of each command's --help."""

DESCRIPTION = """\
Circuit tracing for language models: which features lead to a model's prediction?

  circuit-widget demo                               open the quickstart in JupyterLab
  circuit-widget trace "the capital of the state containing Dallas is" -o dallas.safetensors
  circuit-widget figure dallas.safetensors -o dallas.pdf
  circuit-widget redo dallas.pdf -o again.pdf
  circuit-widget html dallas.safetensors dallas.json -o dallas.html
  circuit-widget examples ./llama texts.jsonl -o llama-examples
  circuit-widget labels ./llama -o llama-examples --held-out other-texts.jsonl
"""

TRACE = """\
Trace one prompt and write its attribution graph to a file.

The embedded model is used unless --model names another one: a local directory, a GGUF file, or the
name of a model already in the local Hugging Face cache. Features are those of --transcoders; without
it, or with --transcoders neurons, they are the neurons of the model's own MLPs. Nothing is downloaded,
except, with --download, transcoders that are not in the cache.

  circuit-widget trace "the capital of the state containing Dallas is" -o dallas.safetensors
  circuit-widget trace "Hello" --model ./llama --transcoders ./llama-transcoders -o hello.safetensors
  circuit-widget trace "Hello" --model ./model.Q4_1.gguf --transcoders neurons -o hello.safetensors
  circuit-widget trace "The capital of Texas is" --model google/gemma-2-2b --transcoders gemma \\
      --contrast Austin Dallas --verify 50 -o texas.safetensors
"""

FIGURE = """\
Draw a graph file, and the circuit someone made of it, as SVG, PDF, PNG, TikZ or HTML: the ending of --output decides.

  circuit-widget figure dallas.safetensors -o dallas.svg
  circuit-widget figure dallas.safetensors --circuit dallas.json --part circuit --width 3.25 -o dallas.pdf

A circuit is saved from a notebook with widget.circuit.save("dallas.json").
"""

REDO = """\
Make a figure again from the recipe that is in its file: the same bytes, or a sentence on what is missing.

The model is loaded, the prompt is traced and the interventions run again. The hashes of the model's files have to be those
in the recipe, and the versions of the package and its libraries, too, unless --not-exact is given. Nothing is downloaded.

  circuit-widget redo dallas.pdf -o again.pdf
  circuit-widget redo llama.svg --model ./llama --transcoders ./llama-transcoders -o again.svg
  circuit-widget redo dallas.recipe.json --graph dallas.safetensors -o again.tex
"""

HTML = """\
Write a graph, and the circuit someone made of it, as one HTML file for readers.

The file opens in any recent browser, from disk, without Python and without a network. Readers look at nodes, search and
group them. GRAPH is a graph file or the graph JSON of circuit-tracer or Neuronpedia. CIRCUIT is a circuit document,
which a notebook saves with widget.circuit.save("dallas.json").

  circuit-widget html dallas.safetensors -o dallas.html
  circuit-widget html dallas.safetensors dallas.json -o dallas.html

In a notebook, widget.to_html("dallas.html") has the experiments and the feature cards in the file, too.
"""

EXAMPLES = """\
Run your texts once and write what feature cards show to a folder: examples, frequency, histogram.

Features are those of --transcoders; without it, or with --transcoders neurons, they are the neurons of the model's MLPs.

TEXTS is a .txt file (a text ends at an empty line), a .jsonl file or a Parquet file. Without it the model's own samples
are used. Stopped at any time, the same command goes on; with further texts it adds to the folder.

  circuit-widget examples ./llama texts.jsonl --transcoders ./llama-transcoders -o llama-examples
  circuit-widget examples ./llama --max-tokens 50000 -o llama-examples
  circuit-widget examples ./model.Q4_1.gguf texts.jsonl --transcoders neurons -o model-examples

In a notebook: cw.load("./llama", "./llama-transcoders", examples="llama-examples")
"""

LABELS = """\
Label features by a rule from their examples, and keep the labels in the folder of the examples.

A label is made of words that are in the examples: "Paris", "say Paris", "after Paris". With --held-out, other texts than
those of the examples measure each label: which share of the tokens that it names the feature is active at, and the reverse.

Features are those of --transcoders; without it, or with --transcoders neurons, they are the neurons of the model's MLPs.

  circuit-widget labels ./llama -o llama-examples --transcoders ./llama-transcoders --held-out other-texts.jsonl
  circuit-widget labels ./model.Q4_1.gguf -o model-examples --transcoders neurons
"""

DEMO = """\
Open the quickstart notebook in JupyterLab. Where there is no display, JupyterLab prints the address to open instead.

  circuit-widget demo
  circuit-widget demo --check         run every cell without a browser, and print how long it took
  circuit-widget demo -- --port 9999  arguments after -- are passed to JupyterLab
"""
