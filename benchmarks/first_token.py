"""How much the first token's state, and the mean over tokens, depend on the sentence, layer by layer.

    python benchmarks/first_token.py --folder .../elue [--source minilm-l6] [--sentences 64]

Per layer: the standard deviation (n - 1) between training sentences of ELUE's SST-2, mean over dimensions, before any
training and without dropout. Exits with poolers of their own read the first token; where its state is the same for all
sentences they have nothing to learn from.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from greenexp.backbones import BACKBONES
from greenexp.plan.data import prepare_data
from greenexp.tasks.batches import pad
from greenexp.training.evaluation import to_tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True, help="ELUE's folder of task folders")
    parser.add_argument("--source", default="minilm-l6", help="a BERT checkpoint: asset, folder or hub id")
    parser.add_argument("--sentences", default=64, type=int)
    asked = parser.parse_args()
    data = prepare_data(
        {
            "task": {"name": "elue", "task": "SST-2", "folder": asked.folder},
            "backbone": {"name": "bert", "source": asked.source},
            "training": {"max_length": 64},
        }
    )
    backbone = BACKBONES["bert"](source=asked.source, pooling="mean").build(data.vocab_size, data.pad_id).eval()
    batch = to_tokens(pad(data.train, np.arange(asked.sentences), data.pad_id), torch.device("cpu"))
    print("layer  first token  mean over tokens")
    with torch.inference_mode():
        state = backbone.embed(batch)
        for layer in range(backbone.num_layers):
            state = backbone.layer(layer, state)
            spreads = (vectors.std(dim=0).mean().item() for vectors in (state.hidden[:, 0], backbone.pool(state)))
            print("{:5d}  {:11.4f}  {:16.4f}".format(layer + 1, *spreads))


if __name__ == "__main__":
    main()
