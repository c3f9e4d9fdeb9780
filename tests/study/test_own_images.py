"""Notebook 0's steps on small folders of discs, and on what people get wrong."""

import numpy as np
import pytest
from own_cases import SIDE, save, write_discs

from thesis_lib.annotation import measured_gains
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import own_error, own_files, own_images
from thesis_lib.study.own_files import Unusable

SMALL = {"epochs": 2, "width": 4, "crops_per_image": 2, "seed": 1}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return write_discs(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def measured(two, tmp_path_factory):
    """A run of the folder of two people, and what was measured there."""
    run = own_images.open_folder(two, tmp_path_factory.mktemp("out"), SMALL)
    return run, own_error.measure(run)


def test_a_folder_in_order_has_no_fault(two):
    assert own_files.faults(two).empty


def test_every_faulty_file_is_named_and_says_whether_it_stops(tmp_path):
    write_discs(tmp_path, count=6)
    (tmp_path / "masks_bob" / "scan00.png").unlink()
    (tmp_path / "images" / "scan01.png").unlink()
    (tmp_path / "images" / "scan02.png").write_bytes(b"no image")
    save(tmp_path / "masks_ann" / "scan03.png", np.full((SIDE, SIDE - 1), 255))
    save(tmp_path / "masks_ann" / "scan04.png", np.zeros((SIDE, SIDE)))
    table = own_files.faults(tmp_path)
    stops = dict(zip(table["file"], table["stops"]))
    assert stops == {
        "images/scan00.png": True,
        "masks_ann/scan01.png": True,
        "masks_bob/scan01.png": True,
        "images/scan02.png": True,
        "masks_ann/scan03.png": True,
        "masks_ann/scan04.png": False,
    }
    with pytest.raises(Unusable, match="scan02.png cannot be read .* and 2 more"):
        own_files.refuse(table)
    own_files.refuse(table[~table["stops"]])


def test_a_picture_that_is_there_twice_is_noted(tmp_path):
    write_discs(tmp_path, count=4)
    (tmp_path / "images" / "scan03.png").write_bytes((tmp_path / "images" / "scan00.png").read_bytes())
    row = own_files.faults(tmp_path).iloc[0]
    assert row["file"] == "images/scan03.png" and "same picture as scan00.png" in row["fault"] and not row["stops"]


def test_links_that_lead_outside_are_named_and_not_read(tmp_path):
    root, outside = write_discs(tmp_path / "data", count=3), tmp_path / "outside.png"
    (root / "images" / "scan00.png").rename(outside)
    (root / "images" / "scan00.png").symlink_to(outside)
    assert own_files.faults(root)[["file", "fault", "stops"]].values.tolist() == [
        ["images/scan00.png", f"is a link that leads outside {root}", True]
    ]
    (tmp_path / "secret").write_text("of nobody else's concern")
    (root / "label_class_dict.csv").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match=r"label_class_dict.csv is a link that leads outside"):
        own_files.faults(root)


def test_wrong_folders_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(Unusable, match="no such folder"):
        own_files.faults(tmp_path / "nowhere")
    with pytest.raises(Unusable, match="got no folder images/"):
        own_files.faults(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(Unusable, match="got no folder masks/ or masks_NAME/"):
        own_files.faults(tmp_path)
    (tmp_path / "masks").mkdir()
    with pytest.raises(Unusable, match="no such pair"):
        own_files.faults(tmp_path)
    save(tmp_path / "images" / "a.png", np.ones((SIDE, SIDE)))
    save(tmp_path / "masks" / "a.png", np.zeros((SIDE, SIDE)))
    with pytest.raises(Unusable, match="must hold objects"):
        own_files.faults(tmp_path)
    save(tmp_path / "masks" / "a.png", np.eye(SIDE) * 255)
    with pytest.raises(Unusable, match="at least 3 images"):
        own_images.open_folder(tmp_path)
    volumes = tmp_path / "volumes"
    (volumes / "images").mkdir(parents=True)
    (volumes / "images" / "a.nii.gz").touch()
    with pytest.raises(
        Unusable, match=r"must hold images; got volumes, on which segmentation.Run trains: see docs/volume"
    ):
        own_files.faults(volumes)
    error = Unusable("one sentence")
    assert error._render_traceback_() == ["Unusable: one sentence"]


def test_settings_are_those_of_a_run_and_replace_what_suits_the_folder(two):
    run = own_images.open_folder(two, "reports/x", {"epochs": 3}, {"crop": 24})
    assert (run.epochs, run.crop, run.judge, run.annotators, run.tile) == (3, 24, "bob", ["ann", "bob"], 96)
    with pytest.raises(Unusable, match="'widht'"):
        own_images.open_folder(two, "reports/x", {"widht": 3})
    with pytest.raises(Unusable, match="epochs must be given once"):
        own_images.open_folder(two, "reports/x", {"epochs": 3}, {"epochs": 4})


def test_pairs_list_every_image_once(measured):
    table = own_images.pairs(measured[0])
    assert len(table) == table["image"].nunique() == 10
    assert set(table["part"]) == {"train", "validation", "test"} and set(table["masks"]) == {"masks_ann/, masks_bob/"}


def test_the_error_has_an_interval_that_holds_it(measured):
    _, found = measured
    assert 0.3 < found.low < found.advice.error < found.high < 3
    assert found.advice.width == pytest.approx(found.widths["width"].median(), rel=0.3)


def test_advice_that_names_a_target_adds_it_to_the_usual_one(measured):
    _, found = measured
    assert own_images.objectives_for(None) == ["one_hot_dice"]
    usual = own_images.objectives_for(found)
    assert usual[0] == "one_hot_dice" and found.advice.objective in usual
    assert set(measured_gains()["target"]) <= set(own_images.OBJECTIVES)


def test_one_annotator_is_told_what_cannot_be_measured_and_is_trained_with(tmp_path):
    write_discs(tmp_path / "plain", [""])
    write_discs(tmp_path / "one", ["ann"])
    for name, judge in (("plain", ""), ("one", "ann")):
        run = own_images.open_folder(tmp_path / name, tmp_path / "out" / name, SMALL)
        assert run.task.judge == judge
        with pytest.raises(Unusable, match="masks_NAME/, would show it"):
            own_error.measure(run)


def test_one_annotator_beside_plain_masks_is_measured_against_these(tmp_path):
    run = own_images.open_folder(write_discs(tmp_path / "data", ["", "ann"]), tmp_path / "out", SMALL)
    found = own_error.measure(run)
    assert run.task.judge == "" and list(found.annotators.index) == ["ann, against 6 gold masks"]
    assert found.low < found.advice.error < found.high


def test_training_is_followed_scored_and_leaves_files_to_take_away(measured):
    run, found = measured
    seen = []

    def watch(one):
        return own_images.follow(one, lambda log: seen.append((one.objective, len(log))), every=0.05)

    trained = own_images.train(run, ["one_hot_dice", "shift"], watch)
    assert set(seen) >= {("one_hot_dice", 2), ("shift", 2)} and max(epochs for _, epochs in seen) == 2
    assert trained["shift"].prior_kind == "population"
    table = own_images.score_table(trained)
    assert set(table["who"]) == {"one_hot_dice", "shift", "ann"} and set(table.loc[table["person"], "who"]) == {"ann"}
    ann = table[(table["who"] == "ann") & (table["score"] == "dice")].iloc[0]
    assert 0.8 < ann["mean"] < 1 and ann["low"] < ann["mean"] < ann["high"]
    assert (table["low"].dropna() >= 0).all() and (table.loc[table["score"] != "surface_distance", "high"] <= 1).all()
    probability = own_images.object_probability(trained["shift"], 0)
    assert probability.shape == (SIDE, SIDE) and 0 <= probability.min() <= probability.max() <= 1
    files = own_images.take_away(run, trained, found, own_files.faults(run.data), table)
    assert all((run.folder / file).exists() for file in files["file"])


def test_the_sample_is_small_and_drawn_by_two():
    folder = REPOSITORY / "sample_data" / "drawn_nuclei"
    assert sum(path.stat().st_size for path in folder.rglob("*.png")) < 300_000
    assert "simulated" in (folder / "README.md").read_text()
    (part,) = own_files.parts(folder)
    assert sorted(part.masks) == ["a", "b"]
