import numpy as np
import pytest
from raster_cases import COLOURS, write_table

from thesis_lib.data import ClassTable, read_class_table
from thesis_lib.data.csv_table import read_csv_table
from thesis_lib.labels import IGNORE


def test_colours_become_classes_and_back():
    classes = np.random.default_rng(0).integers(0, 3, (50, 60)).astype(np.uint8)
    assert np.array_equal(COLOURS.to_classes(COLOURS.to_picture(classes)), classes)


def test_a_colour_of_no_class_is_named_with_its_place_or_ignored():
    picture = COLOURS.to_picture(np.zeros((4, 5), np.uint8))
    picture[2, 3] = (1, 2, 3)
    with pytest.raises(
        ValueError, match=r"a.png must hold the 3 classes of the table alone; got \(1, 2, 3\) at row 2, column 3"
    ):
        COLOURS.to_classes(picture, "a.png")
    classes = COLOURS.to_classes(picture, unknown="ignore")
    assert classes[2, 3] == IGNORE and (classes == IGNORE).sum() == 1
    with pytest.raises(ValueError, match="got 7 at row 0, column 1"):
        ClassTable(("a", "b")).to_classes(np.array([[0, 7]]))


def test_some_classes_are_told_apart_and_everything_else_is_class_0():
    table, numbers = COLOURS.select(["road"])
    assert table.names == ("other", "road") and numbers[:3].tolist() == [0, 0, 1] and numbers[IGNORE] == IGNORE
    table, numbers = COLOURS.select(["roof", "road"])
    assert table.names == ("ground", "roof", "road") and table.colours == COLOURS.colours
    with pytest.raises(ValueError, match="classes must be one of ground, road, roof; got 'lake'"):
        COLOURS.select(["lake"])


@pytest.mark.parametrize(
    "rows, message",
    [
        ("name,r,g,b\n", "a row for each class"),
        ("class,r,g,b\nroof,1,2,3\n", "must have a column 'name'"),
        ("name,r,g,b\na,1,2,3\na,4,5,6\n", "names must all be different; got 'a' twice"),
        ("name,r,g,b\na,1,2,3\nb,1,2,3\n", r"colours must all be different; got \(1, 2, 3\) twice"),
        ("name,r,g,b\na,1,2,300\n", "whole numbers from 0 to 255"),
        ("name,r,g\na,1,2\n", "must be a table of classes"),
        ("", "must be a table of classes"),
    ],
)
def test_a_wrong_class_table_is_named(tmp_path, rows, message):
    write_table(tmp_path, rows)
    with pytest.raises(ValueError, match=message) as caught:
        read_class_table(tmp_path / "label_class_dict.csv")
    assert "label_class_dict.csv" in str(caught.value)


def test_the_first_class_stays_the_background_when_it_is_named():
    table, numbers = COLOURS.select([COLOURS.names[0], COLOURS.names[-1]])
    assert table.names[-1] == COLOURS.names[-1] and numbers[0] == 0 and numbers[len(COLOURS.names) - 1] == 1
    with pytest.raises(ValueError, match="classes must name a class beside the first"):
        COLOURS.select([COLOURS.names[0]])


def test_class_names_are_text_whatever_they_say(tmp_path):
    write_table(tmp_path, 'name,r,g,b\nNone,0,0,0\n01,255,255,255\nNA,1,1,1\n"null",2,2,2\n1.0,3,3,3\n')
    assert read_class_table(tmp_path / "label_class_dict.csv").names == ("None", "01", "NA", "null", "1.0")
    write_table(tmp_path, "name,r,g,b\n,0,0,0\n")
    with pytest.raises(ValueError, match="every class must have a name"):
        read_class_table(tmp_path / "label_class_dict.csv")


def test_colours_are_three_bytes_and_a_class_may_be_called_other():
    with pytest.raises(ValueError, match=r"colours must each be three whole numbers from 0 to 255; got \(0, 256, 0\)"):
        ClassTable(("a", "b"), ((0, 256, 0), (0, 0, 0)))
    assert ClassTable(("ground", "other", "road")).select(["other"])[0].names == ("everything else", "other")


@pytest.mark.parametrize(
    "rows, message",
    [
        ("name,r,g,b\nground,0,0,0,0\n", "line 2: .*every value a column; got 'ground,0,0,0,0'"),
        ("name;r;g;b\nground;0;0;0\n", "with commas between; got 'name;r;g;b'"),
        ("name,name,r,g,b\na,b,0,0,0\n", "each once"),
        ("name,r,g,b\na,0,0,0\nb,red,0,0\n", "line 3: colours must be whole numbers from 0 to 255; got 'red,0,0'"),
    ],
)
def test_the_line_of_a_wrong_class_table_is_named(tmp_path, rows, message):
    write_table(tmp_path, rows)
    with pytest.raises(ValueError, match=message):
        read_class_table(tmp_path / "label_class_dict.csv")


def test_a_class_table_may_have_other_columns_and_begin_with_a_mark(tmp_path):
    (tmp_path / "t.csv").write_text("id,r,g,b,name\n7, 1,2,3,roof\n\n", encoding="utf-8-sig")
    assert read_class_table(tmp_path / "t.csv") == ClassTable(("roof",), ((1, 2, 3),))


@pytest.mark.parametrize(
    "content, message",
    [(b"\n" * (2**26 + 1), "must be a table of at most 64 MiB"), (b"\n" * 10**7, "rows times columns must be at most")],
)
def test_a_table_of_nothing_but_lines_does_not_fill_the_memory(tmp_path, content, message):
    (tmp_path / "classes.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_class_table(tmp_path / "classes.csv")


def test_a_row_that_is_wider_than_its_lines_keeps_its_columns():
    names, rows = read_csv_table(b'x,"y\nz",w\n1,2,3\n')
    assert names == ["x", "y\nz", "w"]
    assert rows.values.tolist() == [["1", "2", "3"]]
