"""Trains the embedded model: tokenizer, model, transcoders, cards, and measures every score with its bound."""
