"""A trained model as ONNX graphs: written, checked against the engine, and computed with by ONNX Runtime.

In here: what one graph holds (the layers between two exits, an exit, or all of a model without early exits), the folder
that they lie in, int8 copies, and the segments through which `EarlyExitEngine` runs them. Not in here: policies and
batches, which are the engine's whoever computes. Imported where it is used: it needs the packages of `greenexp[onnx]`.
"""
