"""Names of the files that vouch for the others of their folder and are written last, and of what a model's hold."""

MODEL_MANIFEST = "greenexp.json"
CHECKPOINT_MANIFEST = "manifest.json"
EXIT_WEIGHTS = "exits.safetensors"
"""The weights of a saved model's exits, `<number of the exit from 0>.<name>`, beside its encoder's."""
TOKENIZER = "tokenizer.json"
"""The tokeniser of a model that can be served as text."""
