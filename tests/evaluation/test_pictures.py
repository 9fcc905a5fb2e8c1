"""Pictures as people have them: how each kind becomes pixels, and what cannot."""

import os
import runpy
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from exporting import lively
from PIL import Image

from optuna_egnas._core.architecture import Architecture
from optuna_egnas.errors import DataError
from optuna_egnas.evaluation._export import export_network
from optuna_egnas.evaluation._images import (
    as_picture,
    check_ground,
    is_picture,
    open_picture,
    read_image,
    readable_formats,
)

RED, BLUE, WHITE, BLACK = (255, 0, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
STORED = np.zeros((16, 32, 3), np.uint8)
STORED[:8, :16] = RED
STORED[8:, :16] = BLUE
"""As stored: red at the upper left, blue below it, black at the right."""
SEEN = {
    1: lambda values: values,
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.transpose(1, 0, 2),
    6: lambda values: np.rot90(values, -1),
    7: lambda values: values.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda values: np.rot90(values),
}
"""What a viewer makes of it, for each EXIF orientation."""


def values_of(picture):
    return np.asarray(picture.image.convert("RGB")).astype(int)


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(bits, kind, samples, *, key=None, last=b""):
    """A PNG of one row of samples, of 16 bits if `bits` is, with a transparent colour."""
    text = "".join(f"{sample:0{bits}b}" for sample in samples)
    text += "0" * (-len(text) % 8)
    row = bytes(int(text[place : place + 8], 2) for place in range(0, len(text), 8))
    width = len(samples) // {0: 1, 2: 3}[kind]
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, bits, kind, 0, 0, 0)),
            chunk(b"tRNS", struct.pack(f">{len(key)}H", *key)) if key else b"",
            chunk(b"IDAT", zlib.compress(b"\0" + row)),
            last,
            chunk(b"IEND", b""),
        ]
    )


class TestOrientation:
    @pytest.mark.parametrize("value", SEEN)
    @pytest.mark.parametrize(
        ("suffix", "options"),
        [
            ("jpg", {"quality": 100, "subsampling": 0}),
            ("png", {}),
            ("webp", {"lossless": True}),
            ("tif", {}),
            ("tif", {"compression": "tiff_lzw"}),
            ("avif", {"quality": 100, "subsampling": "4:4:4"}),
            ("mpo", {"quality": 100, "save_all": True, "append_images": [Image.new("L", (9, 9))]}),
        ],
        ids=str,
    )
    def test_pictures_are_seen_upright(self, tmp_path, value, suffix, options):
        file = tmp_path / f"photo.{suffix}"
        if suffix not in ("mpo", *(end[1:] for end in Image.registered_extensions())):
            pytest.skip(f"this Pillow does not write {suffix}")
        Image.fromarray(STORED).save(file, exif=orientation(value), **options)

        found = values_of(open_picture(file))

        expected = SEEN[value](STORED)
        assert found.shape == expected.shape
        assert np.abs(found - expected).mean() < 8

    def test_it_may_stand_behind_the_pixels(self, tmp_path):
        file = tmp_path / "late.png"
        late = chunk(b"eXIf", orientation(6).tobytes()[6:])
        file.write_bytes(png(8, 0, [0, 90, 180], last=late))

        assert open_picture(file).image.size == (1, 3)

    @pytest.mark.parametrize(
        "exif",
        [
            b"Exif\0\0",
            b"Exif\0\0garbage",
            b"Exif\0\0II*\0\x08\0\0\0\x09\0\x0f\x01",
            b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x02\0\0\0\x02ab\0\0",
            orientation(9).tobytes(),
            orientation(0).tobytes(),
        ],
    )
    @pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
    def test_broken_exif_does_not_matter(self, tmp_path, exif, suffix):
        file = tmp_path / f"photo.{suffix}"
        Image.new("RGB", (4, 2), RED).save(file, exif=exif)

        assert open_picture(file).image.size == (4, 2)

    def test_images_in_memory_are_turned_too(self, tmp_path):
        Image.fromarray(STORED).save(tmp_path / "photo.png", exif=orientation(8))

        with Image.open(tmp_path / "photo.png") as image:
            found = values_of(as_picture(image, "item 0"))

        assert np.array_equal(found, SEEN[8](STORED))


def half_clear(mode="RGBA"):
    """Opaque black at the left, transparent black at the right."""
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    return image.convert("LA").convert("La") if mode == "La" else image.convert(mode)


def palette(**information):
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 0, 0, 0])
    image.putpixel((1, 0), 1)
    image.info.update(information)
    return image


def palette_and_alpha():
    image = Image.frombytes("PA", (2, 1), b"\0\xff\0\0")
    image.putpalette([0, 0, 0])
    return image


def palette_with_alpha():
    image = palette()
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 0], "RGBA")
    return image


class TestTransparency:
    @pytest.mark.parametrize(
        "image",
        [
            *(pytest.param(half_clear(mode), id=mode) for mode in ("RGBA", "RGBa", "LA", "La")),
            pytest.param(palette_and_alpha(), id="PA"),
            pytest.param(palette(transparency=1), id="P, an index"),
            pytest.param(palette(transparency=b"\xff\x00"), id="P, bytes"),
            pytest.param(palette_with_alpha(), id="P of RGBA"),
            pytest.param(half_clear().quantize(4), id="quantized"),
        ],
    )
    @pytest.mark.parametrize(
        ("ground", "colour"), [("white", WHITE), ("#f00", RED), ("rgb(0, 0, 255)", BLUE)]
    )
    def test_what_is_transparent_shows_the_ground(self, image, ground, colour):
        found = values_of(as_picture(image, "here", ground=ground))

        assert found.tolist() == [[list(BLACK), list(colour)]]

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            pytest.param(png(1, 0, [0, 1, 0], key=[0]), [255, 255, 255], id="1 bit"),
            pytest.param(png(2, 0, [0, 1, 2], key=[1]), [0, 255, 170], id="2 bits"),
            pytest.param(png(4, 0, [0, 7, 8], key=[7]), [0, 255, 136], id="4 bits"),
            pytest.param(png(8, 0, [0, 127, 128], key=[127]), [0, 255, 128], id="8 bits"),
            pytest.param(png(16, 0, [0, 771, 772], key=[771]), [0, 255, 3], id="16 bits"),
            pytest.param(
                png(8, 2, [1, 2, 3, 1, 2, 4], key=[1, 2, 3]), [[255] * 3, [1, 2, 4]], id="colour"
            ),
            pytest.param(
                png(16, 2, [256, 512, 768, 256, 512, 1024], key=[256, 512, 768]),
                [[255] * 3, [1, 2, 4]],
                id="colour of 16 bits",
            ),
        ],
    )
    def test_one_colour_may_be_transparent(self, tmp_path, content, expected):
        file = tmp_path / "keyed.png"
        file.write_bytes(content)

        assert np.asarray(open_picture(file).image)[0].tolist() == expected

    @pytest.mark.parametrize("suffix", ["png", "gif", "webp", "ico", "tif", "tga"])
    def test_icons_keep_their_shape_in_any_format(self, tmp_path, suffix):
        file = tmp_path / f"icon.{suffix}"
        image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
        image.paste((0, 0, 0, 255), (8, 8, 24, 24))
        image.save(file, **({"lossless": True} if suffix == "webp" else {}))

        found = values_of(open_picture(file))

        assert found[2, 2].tolist() == list(WHITE) and found[16, 16].tolist() == list(BLACK)

    def test_what_is_half_transparent_is_mixed(self):
        image = Image.new("RGBA", (1, 1), (255, 0, 0, 128))

        assert as_picture(image, "here").image.getpixel((0, 0)) == (255, 127, 127)

    @pytest.mark.parametrize("ground", ["#00000080", "rgb(300,0,0)", "", "snow white", 7, None])
    def test_the_ground_is_an_opaque_colour(self, ground):
        check_ground("#abcdefff")
        with pytest.raises(DataError, match=r"ground must be an opaque colour .* found"):
            check_ground(ground)


SIXTEEN = (np.arange(256) * 257).astype(np.uint16).reshape(16, 16)


def sixteen_bits(mode):
    kind = {"I;16B": ">u2", "I": "<i4"}.get(mode, "<u2")
    return Image.frombytes(mode, (16, 16), SIXTEEN.astype(kind).tobytes())


class TestModes:
    @pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I"])
    def test_sixteen_bits_become_eight(self, mode):
        found = as_picture(sixteen_bits(mode), "here")

        assert not found.is_colour
        assert np.asarray(found.image).flatten().tolist() == [*range(256)]

    def test_they_are_rounded(self):
        image = Image.fromarray(np.array([[0, 128, 129, 385, 386, 65535]], dtype=np.uint16))

        assert np.asarray(as_picture(image, "here").image).tolist() == [[0, 0, 1, 1, 2, 255]]

    def test_floats_are_from_0_to_1(self):
        image = Image.fromarray(np.array([[0, 0.25, 1]], dtype=np.float32))

        assert np.asarray(as_picture(image, "here").image).tolist() == [[0, 64, 255]]

    @pytest.mark.parametrize(
        ("image", "words"),
        [
            (Image.new("I", (2, 2), -1), "of mode I must hold 0 to 65535, found -1 to -1"),
            (Image.new("I", (2, 2), 65536), "of mode I must hold 0 to 65535, found 65536"),
            (Image.new("F", (2, 2), 200), "of mode F must hold 0 to 1, found 200 to 200"),
            (Image.new("F", (2, 2), float("nan")), "of mode F must hold 0 to 1, found nan"),
            (Image.new("F", (2, 2), float("inf")), "of mode F must hold 0 to 1, found inf"),
            (Image.new("RGB", (0, 2)), "at least 1 pixel, found"),
        ],
    )
    def test_what_has_no_black_and_white_is_refused(self, image, words):
        with pytest.raises(DataError, match=f"{words}.* in item 7$"):
            as_picture(image, "item 7")

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LA", "RGBX"])
    def test_gray_is_gray_in_every_mode(self, mode):
        image = Image.new("L", (3, 2), 255).convert("RGB").convert(mode)

        assert not as_picture(image, "here").is_colour

    @pytest.mark.parametrize("mode", ["P", "RGB", "CMYK", "YCbCr", "HSV", "RGBA", "RGBX"])
    def test_one_pixel_of_colour_is_colour(self, mode):
        image = Image.new("RGB", (3, 2), WHITE)
        image.putpixel((2, 1), RED)

        picture = as_picture(image.convert(mode), "here")

        assert picture.is_colour
        assert np.abs(np.array(picture.image.getpixel((2, 1))) - RED).max() <= 1

    def test_lab_is_converted(self):
        found = as_picture(Image.new("LAB", (2, 2), (255, 128, 128)), "here")

        assert np.asarray(found.image).min() > 240

    @pytest.mark.parametrize("channels", [1, 3])
    def test_pixels_have_the_channels_that_are_asked_for(self, channels):
        picture = as_picture(Image.fromarray(STORED), "here")

        found = picture.pixels((4, 8), channels)

        assert found.shape == (channels, 4, 8) and found.dtype == torch.uint8
        assert picture.pixels(None, channels).shape == (channels, 16, 32)

    def test_the_first_frame_counts(self, tmp_path):
        frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE)]
        for suffix in ("gif", "tif", "webp", "png"):
            file = tmp_path / f"film.{suffix}"
            options = {"lossless": True} if suffix == "webp" else {}
            frames[0].save(file, save_all=True, append_images=frames[1:], **options)

            assert values_of(open_picture(file))[0, 0].tolist() == list(RED)


def test_the_same_picture_has_the_same_digest_in_all_formats(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (9, 7), dtype=np.uint8)
    kinds = [("L", "png"), ("RGB", "png"), ("RGB", "bmp"), ("L", "tif"), ("RGBA", "png")]
    digests = set()
    for mode, suffix in kinds:
        Image.fromarray(values).convert(mode).save(tmp_path / f"copy.{suffix}")
        digests.add(open_picture(tmp_path / f"copy.{suffix}").digest())
    turned = Image.fromarray(np.rot90(values))
    turned.save(tmp_path / "turned.png", exif=orientation(6))
    digests.add(open_picture(tmp_path / "turned.png").digest())
    assert len(digests) == 1

    others = [values.reshape(7, 9), values ^ np.uint8(1)]
    assert digests.isdisjoint(as_picture(Image.fromarray(v), "here").digest() for v in others)


class TestRefusals:
    def test_an_enormous_picture_is_refused_before_it_is_unpacked(self, tmp_path, monkeypatch):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("unpacked"))
        for size, words in (((13, 10), "BombWarning"), ((30, 30), "BombError")):
            # Only what stands at its head counts.
            content = png(8, 0, [0]).replace(
                struct.pack(">II", 1, 1), struct.pack(">II", *size), 1
            )
            head = content[12:29]
            file = tmp_path / "bomb.png"
            file.write_bytes(content.replace(content[29:33], struct.pack(">I", zlib.crc32(head))))

            with pytest.raises(DataError, match=words):
                open_picture(file)
            assert is_picture(file)

    def test_truncated_files_are_refused(self, tmp_path):
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        for suffix in ("png", "jpg", "tif", "bmp", "webp", "gif"):
            file = tmp_path / f"short.{suffix}"
            Image.fromarray(noise).save(file)
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

            with pytest.raises(DataError, match=r"readable by Pillow, found .*short"):
                open_picture(file)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.png")

        with pytest.raises(DataError, match="must be a regular file"):
            open_picture(tmp_path / "pipe.png")
        assert not is_picture(tmp_path / "pipe.png")

    @pytest.mark.parametrize("name", ["long" * 50, "two\nlines", "bell\a", "b\udce9te"])
    def test_any_name_gives_one_short_line(self, tmp_path, name):
        place = tmp_path / name / name
        try:
            place.mkdir(parents=True)
            (place / "photo.png").write_bytes(b"garbage")
        except OSError as error:
            pytest.skip(f"this file system has no such names: {error}")

        with pytest.raises(DataError, match=r"photo\.png") as refusal:
            open_picture(place / "photo.png")

        assert len(str(refusal.value)) < 400
        assert str(refusal.value).isprintable()


class TestRecognition:
    @pytest.mark.parametrize(
        ("name", "format"),
        [
            ("photo", "JPEG"),
            ("photo.jfif", "JPEG"),
            ("photo.dat", "PNG"),
            ("photo.png", "GIF"),
            ("photo.pbm", "PPM"),
            ("photo.dib", "DIB"),
            ("photo.tga", "TGA"),
            ("PHOTO.TIF", "TIFF"),
        ],
    )
    def test_pictures_are_known_by_their_content(self, tmp_path, name, format):
        Image.new("L", (4, 4), 9).save(tmp_path / name, format)

        assert is_picture(tmp_path / name)
        assert open_picture(tmp_path / name).image.size == (4, 4)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"label,file\n0,a.png\n",
            b'{"a": 1}',
            b"%PDF-1.4\n",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
            b"\x89HDF\r\n\x1a\n" + bytes(600),
            b"\x00\x00\x01\xb3\x00\x40\x04\x00",  # MPEG
            b"\x00\x00\x02" + bytes(9) + b"\x04\0\x04\0\x18\0" + bytes(48),  # like a TGA
        ],
    )
    def test_other_files_are_none(self, tmp_path, content):
        (tmp_path / "file").write_bytes(content)

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not is_picture(tmp_path / "file")

    def test_a_folder_or_nothing_is_none(self, tmp_path):
        assert not is_picture(tmp_path) and not is_picture(tmp_path / "gone")

    def test_formats_that_need_another_program_are_left_out(self):
        assert {"PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"} <= {*readable_formats()}
        assert {"EPS", "HDF5", "GRIB", "BUFR", "WMF", "MPEG"}.isdisjoint(readable_formats())


def drawn(folder):
    """One file of each kind that an exported module reads as this package does."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    full = Image.fromarray(noise)
    files = []
    for mode, suffix in [
        *((mode, "png") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
        ("RGB", "jpg"),
        ("L", "jpg"),
        ("CMYK", "jpg"),
        ("RGBA", "webp"),
        ("RGBA", "gif"),
    ]:
        files.append(folder / f"{mode}.{suffix}")
        exif = {} if suffix == "gif" else {"exif": orientation(6)}
        image = full.convert("RGB") if mode == "CMYK" else full
        image.convert(mode).save(files[-1], **exif)
    return files


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ground", ["white", "#204060"])
def test_an_exported_module_reads_files_as_the_package_does(tmp_path, channels, ground):
    trained = lively(Architecture.chain(depth=1, width=2), shape=(channels, 8, 12), ground=ground)
    module, _ = export_network(trained, tmp_path, format="python").files
    read = runpy.run_path(str(module))["read_image"]

    for file in drawn(tmp_path):
        found = read_image(file, (8, 12), channels, ground=ground)
        assert torch.equal(read(file), found[None]), file.name


def test_reading_1_is_that_of_0_1_0(tmp_path):
    file = tmp_path / "icon.png"
    image = half_clear().resize((4, 2), Image.Resampling.NEAREST)
    image.save(file, exif=orientation(6))

    assert read_image(file, (2, 4), reading=1).tolist() == torch.zeros(3, 2, 4).tolist()
    found = read_image(file, (4, 2))
    assert found.tolist() == [[[0, 0], [0, 0], [255, 255], [255, 255]]]

    Image.new("LA", (4, 4)).save(file)
    with pytest.raises(DataError, match="modes 1, L, RGB, P, RGBA, CMYK, found LA"):
        read_image(file, (2, 2), reading=1)
