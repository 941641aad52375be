"""Examples and labels of features in the formats that others publish: circuit-tracer's and Neuronpedia's."""
