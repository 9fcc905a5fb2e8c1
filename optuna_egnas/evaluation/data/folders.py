"""Folders of images as training data: every image is decoded once, those for the test as well.

A search sees no pixel of a test image: a hash is taken of it, and that is all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...errors import DataError
from .decoding import Decoded, check_broken, decode, look_through, within
from .layout import Labelled, Layout, read_layout
from .paths import counted, named, short_name
from .shares import drawn, place_of

if TYPE_CHECKING:
    from .options import DataOptions


DEFAULT_IMAGE_SIZE = 32
_MANY = 20
"""Names in a line of what was found."""
_PURPOSE = "test"

# Whoever changes this seed makes test images of yesterday training images of today.
_TEST_SEED = 20250271


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a folder was found to hold.

    Args:
        n_test: the number of test images.
        has_test_folder: whether they are in a folder of their own, else a share of all images.
        notes: what is to be known of it, each one line.
        conflicts: how many images are the same as one of another class, and two such files.
    """

    n_test: int
    has_test_folder: bool
    notes: tuple[str, ...]
    conflicts: str = ""

    def lines(self) -> tuple[str, ...]:
        """All of it but the number, as sentences."""
        said = (*([self.conflicts] if self.conflicts else []), *self.notes)
        return tuple(f"{line[0].upper()}{line[1:]}." for line in said)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FolderContent:
    """The training side of a folder: images uint8 [N, C, H, W], labels int64 [N].

    `validation` (bool [N]) says which images the folder itself has for validation, if any.
    """

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...]
    digests: tuple[bytes, ...]
    validation: Tensor | None
    survey: Survey


def read_folder(path: Path, options: DataOptions) -> FolderContent:
    """Everything of a folder of images but its test images.

    Copies of one image are on one side only: a given test keeps its images, then the validation
    does. Where a class would have no image to train on by that, training keeps its images; of
    the other parts, what is left is used.

    Raises:
        DataError: the folder is of another kind, or an image cannot be read.
    """
    layout = read_layout(path)
    train, valid, _ = parts = _decoded(layout, options)
    check_broken([each for part in parts for each in part.broken], path, skip=options.skip_broken)
    masks = to_train, to_validate, to_test = _without_copies(parts, layout)
    n_test = int(to_test.sum())
    if not n_test:
        share = test_share(train, layout.class_names, options)
        to_train, n_test = to_train & ~share, int(share.sum())
    taken = [(train, to_train), (valid, to_validate)]
    _check_classes(train.labels[to_train], layout.class_names, path)
    channels = 3 if any(bool(part.colours[mask].any()) for part, mask in taken) else 1
    images = [part.images(mask, channels, options.ground) for part, mask in taken if mask.any()]
    labels = torch.cat([part.labels[mask] for part, mask in taken])
    return FolderContent(
        images=images[0] if len(images) == 1 else torch.cat(images),
        labels=labels,
        class_names=layout.class_names,
        digests=tuple(digest for part, mask in taken for digest in _chosen(part, mask)),
        validation=_last(int(to_validate.sum()), len(labels)),
        survey=Survey(
            n_test=n_test,
            has_test_folder=bool(to_test.any()),
            notes=_notes(layout, parts, masks, options),
            conflicts=_conflicts(parts, layout),
        ),
    )


def _without_copies(
    parts: tuple[Decoded, Decoded, Decoded], layout: Layout
) -> tuple[Tensor, Tensor, Tensor]:
    """For each part which of its images are copies of none in a part that goes before it."""
    train, valid, test = parts
    if test.digests:
        to_validate = not_among(valid, test.digests)
        to_train = not_among(train, (*test.digests, *valid.digests))
        if len(torch.unique(train.labels[to_train])) == len(layout.class_names):
            return to_train, to_validate, torch.ones_like(test.kept)
    to_test = not_among(test, (*train.digests, *valid.digests))
    return torch.ones_like(train.kept), not_among(valid, train.digests), to_test


def not_among(part: Decoded, digests: Collection[bytes]) -> Tensor:
    """Which images of a part are copies of none with these digests, bool [N]."""
    known = frozenset(digests)
    return torch.tensor([digest not in known for digest in part.digests], dtype=torch.bool)


def test_share(decoded: Decoded, class_names: tuple[str, ...], options: DataOptions) -> Tensor:
    """Which images of a folder without a test folder are kept for the test, bool [N].

    Raises:
        DataError: a class has no two images that differ.
    """
    fraction = options.test_fraction
    return drawn(
        decoded.digests, decoded.labels, class_names, fraction, purpose=_PURPOSE, seed=_TEST_SEED
    )


def may_be_test(digest: bytes, options: DataOptions) -> bool:
    """What `test_share` says of an image, unless its class has none on one side."""
    return place_of(digest, purpose=_PURPOSE, seed=_TEST_SEED) < options.test_fraction


def _decoded(layout: Layout, options: DataOptions) -> tuple[Decoded, Decoded, Decoded]:
    """The images of the training, the validation and the test folders."""
    # Here, since that module needs this one; it alone reads images that are given as a test.

    size, ground, given = options.image_size or DEFAULT_IMAGE_SIZE, options.ground, layout.test
    train = decode(
        layout.train,
        size=size,
        ground=ground,
        keep=lambda digest: given is not None or not may_be_test(digest, options),
        share=1.0 if given else 1 - options.test_fraction,
    )
    valid = decode(layout.valid or Labelled(), size=size, ground=ground, keep=lambda _: True)
    return train, valid, look_through(given or Labelled(), ground)


def _chosen(part: Decoded, mask: Tensor) -> tuple[bytes, ...]:
    return tuple(part.digests[index] for index in mask.nonzero().flatten().tolist())


def _last(count: int, total: int) -> Tensor | None:
    """A mask of the last so many; None for none."""
    return torch.arange(total) >= total - count if count else None


def _check_classes(labels: Tensor, names: tuple[str, ...], path: Path) -> None:
    counts = torch.bincount(labels, minlength=len(names))
    if int(counts.min()) == 0:
        found = f"none of {short_name(names[int(counts.argmin())])} in {short_name(path)}"
        right = "have training images that are neither broken nor copies of others"
        raise DataError(f"every class must {right}, found {found}")


def _notes(
    layout: Layout,
    parts: tuple[Decoded, Decoded, Decoded],
    masks: tuple[Tensor, Tensor, Tensor],
    options: DataOptions,
) -> tuple[str, ...]:
    """What is to be said of a folder beside its numbers."""
    digests = [digest for part in parts for digest in part.digests]
    copies = len(digests) - len({*digests})
    dropped = sum(int((~mask).sum()) for mask in masks)
    sides = [part.colours[mask] for part, mask in zip(parts[:2], masks[:2], strict=True)]
    colours = torch.cat(sides)
    gray = int((~colours).sum()) if bool(colours.any()) else 0
    broken = [within(each.file, layout.folder) for part in parts for each in part.broken]
    counts = {
        f"{counted(copies, 'copy', 'copies')} of other images, on one side each": copies,
        f"left out: {counted(dropped, 'copy', 'copies')} of images of another part": dropped,
        f"made colour: {counted(gray, 'gray image')}": gray,
        f"left out: {counted(len(broken), 'file')} that cannot be read: {named(broken, _MANY)}": (
            len(broken)
        ),
    }
    lines = [text for text, count in counts.items() if count]
    return (*_uses(layout, masks, options), *lines, *layout.notes)


def _uses(
    layout: Layout, masks: tuple[Tensor, Tensor, Tensor], options: DataOptions
) -> Iterator[str]:
    """What the folders for validation and test are, and are not, used for."""
    has_validation, has_test = bool(masks[1].any()), bool(masks[2].any())
    if has_validation:
        yield "validation images are given: valid_fraction has no use"
    elif layout.valid:
        yield "not used: the validation folder, since all in it are left out"
    if layout.test and not has_test:
        yield "not used: the test folder, since all in it are left out"
    if (layout.valid or layout.test) and not has_test:
        share = f"test_fraction {options.test_fraction:g}"
        yield f"test images are a share of those to train on: {share}"


def _conflicts(parts: tuple[Decoded, ...], layout: Layout) -> str:
    """Images that are of two classes, in words; empty for none."""
    first: dict[bytes, tuple[int, Path]] = {}
    pairs: list[tuple[Path, Path]] = []
    for part in parts:
        for digest, label, file in zip(
            part.digests, part.labels.tolist(), part.files, strict=True
        ):
            before = first.setdefault(digest, (label, file))
            if before[0] != label:
                pairs.append((before[1], file))
    if not pairs:
        return ""
    one, other = (short_name(within(file, layout.folder)) for file in pairs[0])
    count = counted(len(pairs), "image is", "images are")
    return f"{count} the same as one of another class: {one} and {other}, say"
