"""Names of the files that vouch for the others of their folder and are written last."""

MODEL_MANIFEST = "greenexp.json"
CHECKPOINT_MANIFEST = "manifest.json"
