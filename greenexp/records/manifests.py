"""Names of the files of saved models; those that vouch for the others of their folder are written last."""

MODEL_MANIFEST = "greenexp.json"
CHECKPOINT_MANIFEST = "manifest.json"
EXITS = "exits.safetensors"
TOKENIZER = "tokenizer.json"
