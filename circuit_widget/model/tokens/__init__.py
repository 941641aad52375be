"""From what a user gives as a prompt, a target or a tokenizer to the tokens that a model is run on."""
