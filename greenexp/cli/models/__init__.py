"""Commands about trained models and their recorded logits: `predict`, `serve`, `bench`, `submit` and `replay`.

One file per command, and files for the options and tables they share. May not enter: Ray and MLflow themselves.
"""
