"""Trains the embedded model: tokenizer, model, transcoders, cards, and every figure it is held to."""
