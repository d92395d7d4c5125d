"""Weights in 8 bits, activations quantised as they come."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.compression.base import Compression, EncoderView, ReportContext
from greenexp.records.form import Cut


@dataclass(frozen=True)
class Int8(Compression):
    """The weights of all linear layers of the encoder are held in 8 bits; activations are quantised as they come.

    Formula: for each output o of a linear layer s_o = max_i |W_oi| / 127, Q_oi = round(W_oi / s_o); for each token x
    a = max_i |x_i| / 127, q_i = round(x_i / a); y_o = a s_o sum_i q_i Q_oi + b_o, the sum exact in 32-bit integers.
    Symbols: W a weight matrix, x what it is applied to, b its bias, which stays in 32 bits.
    Source: dynamic quantisation, symmetric, per output channel and per token (Jacob et al. 2018; Zafrir et al. 2019,
    Q8BERT, without its training); `torch.ao.quantization`, deprecated since torch 2.10, is not used.
    A report is of the quantised model, whose int8 weights are what is saved; the model goes on training in full
    precision. FLOPs count its products like any other: what int8 saves is bytes and seconds. Normalisation, softmax,
    biases and exit heads stay in 32 bits. Integer products run on a CPU; on a GPU the weights are widened at each call.
    Passes: none.

    pooler: whether the pooler's weights are quantised too
    embeddings: whether token, position and type embeddings are, one scale per row
    """

    pooler: bool = True
    embeddings: bool = False

    def cut(self, context: ReportContext) -> Cut:
        """See `Compression.cut`."""
        return self.typical_cut(context.encoder)

    def typical_cut(self, encoder: EncoderView) -> Cut:  # noqa: ARG002 - the same for all
        """See `Compression.typical_cut`."""
        wanted = {"layers": True, "pooler": self.pooler, "embeddings": self.embeddings}
        return Cut(int8=tuple(name for name, is_wanted in wanted.items() if is_wanted))
