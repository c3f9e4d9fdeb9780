"""Images of a table that are damaged, of another kind, pipes or links that lead outside."""

import os

import pytest
from PIL import Image

from thesis_lib.data import load_image_table, load_images


def test_a_damaged_image_is_named_or_left_out_when_asked(photos):
    with pytest.raises(ValueError, match="skip_damaged must be True or False; got 'false'"):
        load_image_table(photos, skip_damaged="false")
    content = (photos / "deep" / "b.jpg").read_bytes()
    (photos / "deep" / "b.jpg").write_bytes(content[: len(content) // 2])
    (photos / "d.png").write_text("not an image")
    table = load_image_table(photos)
    with pytest.raises(ValueError, match="b.jpg cannot be read as an image"):
        table[[1]]
    with pytest.raises(ValueError, match=r"2 of 6 images cannot be read \(skip_damaged leaves them out\): .*b.jpg"):
        table.check()
    with pytest.warns(UserWarning, match="2 of 6 images were left out; .*b.jpg"):
        assert load_image_table(photos, skip_damaged=True).files.tolist() == [
            "a.png",
            "deep/er/c.png",
            "e.tif",
            "f.bmp",
        ]


def test_a_link_that_leads_outside_is_refused(photos, tmp_path_factory):
    secret = tmp_path_factory.mktemp("outside") / "secret.png"
    Image.new("L", (4, 4)).save(secret)
    (photos / "link.png").symlink_to(secret)
    (photos / "labels.csv").write_text("file,label\nlink.png,cat\n")
    with pytest.raises(ValueError, match="link that leads outside"):
        load_image_table(photos)
    outside = secret.with_name("labels.csv")
    (photos / "labels.csv").rename(outside)
    (photos / "labels.csv").symlink_to(outside)
    with pytest.raises(ValueError, match="labels.csv is a link that leads outside"):
        load_image_table(photos)


@pytest.mark.parametrize("name", ["labels.csv", "a.png"])
def test_a_pipe_is_refused_and_not_waited_for(photos, name):
    (photos / name).unlink()
    os.mkfifo(photos / name)
    with pytest.raises(ValueError, match=f"{name} must be a file; got a pipe or device"):
        load_image_table(photos).check()


def test_the_first_dozen_damaged_images_of_all_parts_are_named(photos):
    names = [f"{i:02}.png" for i in range(30)]
    for i, name in enumerate(names):
        Image.new("L", (4, 4), i).save(photos / name)
    (photos / "labels.csv").write_text(
        "file,label\n" + "".join(f"{name},{'ab'[i % 2]}\n" for i, name in enumerate(names))
    )
    splits = load_images(photos)
    damaged = [part.images.files[0] for part in (splits.train, splits.validation, splits.test)]
    for name in damaged:
        (photos / name).write_bytes(b"")
    with pytest.raises(ValueError, match="3 of 30 images cannot be read") as raised:
        splits.check()
    assert all(name in str(raised.value) for name in damaged)
    for name in names:
        (photos / name).write_bytes(b"")
    with pytest.raises(ValueError, match="30 of 30 images cannot be read .*; and 18 more"):
        splits.check()


def test_what_is_no_image_is_not_called_damaged(photos):
    (photos / "a.png").write_bytes(b"%PDF-1.7 of another kind")
    with pytest.raises(ValueError, match="a.png cannot be read as an image: not of a supported kind"):
        load_image_table(photos)[[0]]
