"""What a transcoder is: a replacement of an MLP that reads its input and writes its output through sparse features."""
