"""Images: how they are drawn, augmented, parted, and read from the files of CIFAR; what is wrong with such files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import tiny_images

from greenexp.assets import find
from greenexp.backbones.resnet import ResNet
from greenexp.errors import InputError
from greenexp.records.trial import Fold
from greenexp.tasks import cifar
from greenexp.tasks.augmentation import Augmentation
from greenexp.tasks.cifar import Cifar10, Cifar100
from greenexp.tasks.folds import on_fold
from greenexp.tasks.pixels import PixelSplit, PixelTask
from greenexp.tasks.prepared import copied, part
from greenexp.tasks.shapes import LABEL_NAMES, Shapes

BATCH, TRAIN = 40, 200


def test_an_augmented_image_is_a_crop_of_the_padded_one() -> None:
    images = np.random.default_rng(0).integers(1, 256, (300, 3, 8, 8), dtype=np.uint8)
    found = Augmentation(padding=2).applied(images, np.arange(300), seed=5, epoch=3)
    seen = set()
    for image, changed in zip(images, found, strict=True):
        wide = np.pad(image, ((0, 0), (2, 2), (2, 2)))
        crops = {(down, right): wide[:, down : down + 8, right : right + 8] for down in range(5) for right in range(5)}
        places = [
            (*at, flip)
            for at, crop in crops.items()
            for flip in (False, True)
            if np.array_equal(crop[:, :, ::-1] if flip else crop, changed)
        ]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) > 45  # of 50


def test_an_augmentation_depends_on_seed_epoch_and_number_alone() -> None:
    images, augmentation = tiny_images().train.images(np.arange(64)), Augmentation()
    whole = augmentation.applied(images, np.arange(64), 1, 2)
    some = np.array([40, 3, 17])
    assert np.array_equal(augmentation.applied(images[some], some, 1, 2), whole[some])
    assert not np.array_equal(augmentation.applied(images, np.arange(64), 1, 3), whole)
    assert not np.array_equal(augmentation.applied(images, np.arange(64), 2, 2), whole)


def test_parts_share_their_images_and_copies_do_not() -> None:
    split, chosen = tiny_images().train, np.array([5, 2, 9])
    shared, own = part(split, chosen), copied(part(split, chosen), np.array([2, 0]))
    assert shared.pixels is split.pixels
    assert np.array_equal(shared.images(np.array([1])), split.images(np.array([2])))
    assert len(own.pixels) == 2
    assert np.array_equal(own.images(np.arange(2)), split.images(np.array([9, 5])))
    assert own.labels.tolist() == split.labels[[9, 5]].tolist()


def test_folds_part_the_training_set() -> None:
    data = tiny_images()
    folds = [on_fold(data, Fold(number, 4)) for number in range(4)]
    rows = np.concatenate([fold.dev.numbers(np.arange(len(fold.dev))) for fold in folds])
    assert sorted(rows.tolist()) == list(range(64))


def test_shapes_are_balanced_and_the_same_everywhere() -> None:
    task = Shapes(train=64, dev=32, test=16, side=16)
    data, again = task.load(), task.load()
    assert (
        data.fingerprint == again.fingerprint != Shapes(train=64, dev=32, test=16, side=16, seed=1).load().fingerprint
    )
    assert data.contents["train"].classes == dict.fromkeys(LABEL_NAMES, 16)
    assert np.bincount(data.train.columns["level"]).tolist() == [16] * 4
    with pytest.raises(InputError, match="multiple of 16"):
        Shapes(side=24)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of fewer images than the official ones."""
    monkeypatch.setattr(cifar, "_BATCH", BATCH)
    monkeypatch.setattr(cifar, "_TRAIN", TRAIN)


def records(images: int, kinds: tuple[int, ...], seed: int) -> np.ndarray:
    """[image, byte] as in the binary version."""
    rng = np.random.default_rng(seed)
    labels = np.stack([rng.permutation(images) % kind for kind in kinds], axis=1)
    return np.concatenate([labels, rng.integers(0, 256, (images, 3072))], axis=1).astype(np.uint8)


@pytest.fixture
def folder_10(tmp_path: Path, small: None) -> Path:
    for number in range(1, 6):
        records(BATCH, (10,), number).tofile(tmp_path / f"data_batch_{number}.bin")
    records(BATCH, (10,), 9).tofile(tmp_path / "test_batch.bin")
    return tmp_path


@pytest.fixture
def folder_100(tmp_path: Path, small: None) -> Path:
    records(TRAIN, (20, 100), 1).tofile(tmp_path / "train.bin")
    records(BATCH, (20, 100), 2).tofile(tmp_path / "test.bin")
    return tmp_path


def images_of(split: PixelSplit) -> set[bytes]:
    return {image.tobytes() for image in split.images(np.arange(len(split)))}


def test_cifar_10_from_its_binary_files(folder_10: Path) -> None:
    data = Cifar10(folder=str(folder_10), dev=50).load()
    assert (len(data.train), len(data.dev), len(data.test or ())) == (150, 50, 40)
    assert np.bincount(data.dev.labels).tolist() == [5] * 10
    assert not images_of(data.train) & images_of(data.dev)
    first = records(BATCH, (10,), 1)[0]
    place = [image.tobytes() for image in data.train.images(np.arange(150))]
    both = place + [image.tobytes() for image in data.dev.images(np.arange(50))]
    at = both.index(first[1:].tobytes())
    assert np.concatenate([data.train.labels, data.dev.labels])[at] == first[0]
    smaller = Cifar10(folder=str(folder_10), dev=50, train=30, test=10, augment=False).load()
    assert images_of(smaller.train) < images_of(data.train)
    assert images_of(smaller.dev) == images_of(data.dev)
    assert smaller.augmentation is None
    assert (Cifar10(folder=str(folder_10)).assets, Cifar10().assets) == ((), ("cifar-10",)), "what is fetched"


def test_cifar_100_has_two_kinds_of_labels(folder_100: Path) -> None:
    fine, coarse = (Cifar100(folder=str(folder_100), labels=kind, dev=100).load() for kind in ("fine", "coarse"))  # type: ignore[arg-type]
    assert (fine.num_labels, coarse.num_labels) == (100, 20)
    assert fine.label_names[:2] == ("0", "1")
    test = records(BATCH, (20, 100), 2)
    assert fine.test is not None
    assert coarse.test is not None
    assert fine.test.labels.tolist() == test[:, 1].tolist()
    assert coarse.test.labels.tolist() == test[:, 0].tolist()
    assert np.array_equal(fine.test.images(np.arange(1))[0].reshape(-1), test[0, 2:])
    (folder_100 / "fine_label_names.txt").write_text("\n".join(f"kind {n}" for n in range(100)) + "\n")
    assert Cifar100(folder=str(folder_100), dev=100).load().label_names[7] == "kind 7"
    (folder_100 / "fine_label_names.txt").write_text("one\n")
    with pytest.raises(InputError, match="1 different names"):
        Cifar100(folder=str(folder_100), dev=100).load()


class Trap:
    """What unpickling would run."""

    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was opened",))


def test_pickles_are_not_opened(folder_100: Path) -> None:
    (folder_100 / "train.bin").unlink()
    (folder_100 / "train").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match=r"train\.bin.*pickles are not opened"):
        Cifar100(folder=str(folder_100), dev=100).load()


def spoilt(file: Path, how: str) -> None:
    content = file.read_bytes()
    spoilers = {"cut": content[:-1], "fewer": content[:-3074], "longer": content + b"x", "empty": b""}
    spoilers["label"] = bytes([250]) + content[1:]
    file.write_bytes(spoilers[how])


@pytest.mark.parametrize(
    ("how", "said"),
    [("cut", "cut off"), ("fewer", "cut off"), ("longer", "bytes"), ("empty", "0 bytes"), ("label", "250")],
)
def test_damaged_files_are_refused(folder_100: Path, how: str, said: str) -> None:
    spoilt(folder_100 / "test.bin", how)
    with pytest.raises(InputError, match=said):
        Cifar100(folder=str(folder_100), dev=100).load()


def test_a_wrong_folder_is_refused(tmp_path: Path, folder_10: Path) -> None:
    with pytest.raises(InputError, match="folder: ~nobody-of-that-name"):
        Cifar10(folder="~nobody-of-that-name/cifar").load()
    with pytest.raises(InputError, match="not there"):
        Cifar10(folder=str(tmp_path / "nowhere")).load()
    with pytest.raises(InputError, match="a file"):
        Cifar10(folder=str(folder_10 / "test_batch.bin")).load()
    with pytest.raises(InputError, match=r"train\.bin"):
        Cifar100(folder=str(folder_10)).load()
    with pytest.raises(InputError, match="dev"):
        Cifar10(folder=str(folder_10), dev=TRAIN + 1).load()
    with pytest.raises(InputError, match="train"):
        Cifar10(folder=str(folder_10), dev=50, train=151).load()


@pytest.mark.parametrize(
    ("pixels", "labels"),
    [
        (np.zeros((2, 3, 16, 8), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 1, 16, 16), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 3, 16, 16), np.float32), np.zeros(2, np.int64)),
        (np.zeros((2, 3, 16, 16), np.uint8), np.zeros(3, np.int64)),
        (np.zeros((2, 3, 16, 16), np.uint8), np.zeros(2, np.float32)),
    ],
)
def test_what_is_no_split_of_images_is_refused(pixels: Any, labels: Any) -> None:
    with pytest.raises(InputError):
        PixelSplit(pixels, labels)


def test_other_images_have_another_fingerprint() -> None:
    one = tiny_images()
    other = Shapes(train=64, dev=32, test=16, side=16, augment=False).load()
    assert isinstance(one, PixelTask)
    assert one.fingerprint != other.fingerprint  # they are augmented otherwise


@pytest.mark.slow
def test_the_real_cifar_10(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package has the authors' images: 5,000 and 1,000 of each class, no image twice over the splits."""
    monkeypatch.undo()  # the user's own cache
    if find("cifar-10") is None:
        pytest.skip("asset cifar-10 has not been fetched on this machine")
    data = Cifar10().load()
    assert data.test is not None
    assert [len(data.train), len(data.dev), len(data.test)] == [45_000, 5_000, 10_000]
    for split, each in ((data.train, 4_500), (data.dev, 500), (data.test, 1_000)):
        assert np.bincount(split.labels).tolist() == [each] * 10
    assert not data.contents["test"].shared["train"] + data.contents["dev"].shared["train"]
    whole = np.concatenate([data.train.pixels, data.dev.pixels])
    assert whole.mean(axis=(0, 2, 3)) / 255 == pytest.approx(ResNet().mean, abs=1e-4)
    assert whole.std(axis=(0, 2, 3)) / 255 == pytest.approx(ResNet().deviation, abs=1e-4)
