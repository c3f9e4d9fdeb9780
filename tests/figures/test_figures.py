import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.markers import CARETDOWNBASE
from scipy import stats

from thesis_lib import figures
from thesis_lib.figures.captions import CAPTIONS
from thesis_lib.figures.style import apart, described
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import drawn_pairs

OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")  # jfly.uni-koeln.de/color


def test_the_window_is_where_drawings_differ_most_and_inside_the_image():
    truth = np.zeros((60, 90), np.uint8)
    drawn = truth.copy()
    drawn[2:8, 80:88] = 1
    drawn[40, 10] = 1
    rows, columns = figures.where_drawings_differ(truth, [drawn, truth], size=(20, 30))
    assert drawn[rows, columns].sum() == 48 and drawn[rows, columns].shape == (20, 30)
    assert figures.where_drawings_differ(truth, [truth], size=(100, 100)) == (slice(0, 60), slice(0, 90))


def test_a_logarithmic_axis_shows_all_means_and_published_values_though_intervals_end_below_zero():
    table = pd.DataFrame({"labels": [100, 600], "mean": [20.0, 3.0], "low": [-5.0, 2.5], "high": [45.0, 3.5]})
    table = table.assign(target="supervised", metric="error")
    options = {"x": "labels", "axis_label": "labelled images", "panels": {"error": "error, %"}, "log_y": True}
    axis = figures.lines(table, **options, log=True, published=[("supervised", 100, 25.0)]).axes[0]
    low, high = axis.get_ylim()
    assert axis.get_yscale() == "log" and 0 < low < 3.0 and high >= 45.0
    assert {label.get_text() for label in axis.get_yticklabels()} >= {"2", "5", "10", "20"}
    cross = next(line for line in axis.lines if line.get_marker() == "x")
    assert (cross.get_xdata(), cross.get_ydata()) == ([100], [25.0])
    assert "published" in {text.get_text() for text in axis.figure.legends[0].texts}
    with_zero = table.assign(mean=[20.0, 0.0], low=[-5.0, 0.0], high=[45.0, 0.0])
    linear = figures.lines(with_zero, **options).axes[0]
    assert linear.get_yscale() == "linear" and linear.get_ylim()[0] <= 0


def test_errors_are_right_background_right_object_wrongly_found_or_missed():
    labels = np.array([[[0, 1, 0, 1, 1, 255]]])
    predictions = np.array([[[0, 1, 1, 0, 2, 1]]])
    assert figures.errors(labels, predictions, background=0).tolist() == [[[0, 1, 2, 3, 3, 0]]]


def test_every_panel_of_drawings_shows_one_line_for_each_person():
    masks = np.zeros((3, 20, 20), np.uint8)
    for i, mask in enumerate(masks):
        mask[5 : 12 + i, 5:12] = 1
    figure = figures.drawings_of_people([masks, masks[:2]], ["a", "b"], columns=3)
    assert [len(axis.lines) for axis in figure.axes] == [3, 2, 0]
    assert [axis.get_title() for axis in figure.axes] == ["a", "b", ""]
    rows = figures.simulated_drawings([masks], [masks[:2]])
    assert [len(axis.lines) for axis in rows.axes] == [3, 2]


def test_quantiles_of_a_normal_lie_on_the_diagonal():
    values = stats.norm.ppf((np.arange(20000) + 0.5) / 20000)
    line = figures.quantiles_against_normal({"as measured": values}).axes[0].lines[0]
    assert line.get_ydata() == pytest.approx(line.get_xdata(), abs=0.05)


def test_the_shares_of_pairs_reach_a_half_at_the_median():
    table = pd.DataFrame({"who": [drawn_pairs.PEOPLE, drawn_pairs.SIMULATED] * 101})
    for name in drawn_pairs.SCORES:
        table[name] = np.repeat(np.arange(101), 2) / 100 + np.tile([0, 0.3], 101)
    for axis in figures.pairs_of_drawings(table).axes:
        at_half = [np.interp(0.5, line.get_ydata(), line.get_xdata()) for line in axis.lines]
        assert at_half == pytest.approx([0.5, 0.8], abs=0.01)


def test_a_text_names_what_stands_on_the_axes_of_a_figure():
    log = pd.DataFrame({"epoch": [0, 1, 2], "loss": [0.5, 0.3, 0.2], "val_loss": [0.4, 0.2, 0.3]})
    text = described(figures.history(log))
    assert text == "x: epoch; y: loss; shown: training, validation, as drawn, best, kept."
    panels = described(
        figures.curves({"one_hot": log}, {"loss": ("loss", "val_loss"), "the same": ("loss", "val_loss")})
    )
    assert "y: loss" in panels and "y: the same" in panels and "one-hot, training" in panels
    assert len(described(figures.history(log), longest=20)) < 20


def test_each_figure_that_a_notebook_shows_has_a_caption():
    sources = [path.read_text() for path in (REPOSITORY / "notebooks").glob("*.ipynb")]
    shown = {name for text in sources for name in re.findall(r"figures\.(\w+)\(", text)}
    drawn = {
        name
        for name in shown & set(figures.__all__)
        if name not in ("errors", "show", "style", "where_drawings_differ")
    }
    assert len(drawn) > 30 and drawn <= set(CAPTIONS)
    assert all(hasattr(figures, name) and text.endswith(".") for name, text in CAPTIONS.items())


def test_ticks_that_would_collide_are_left_out():
    assert apart([0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 4], 1.3) == [0.25, 0.5, 0.75, 1, 1.5, 2, 4]
    assert apart([0.9, 1.0, 1.1], 1.3) == [1.0]


@pytest.mark.parametrize("name", [*figures.OBJECTIVE_STYLE, *figures.METHOD_STYLE])
def test_two_methods_differ_in_colour_or_marker_and_colours_are_those_that_colour_blind_readers_tell_apart(name):
    styles = figures.OBJECTIVE_STYLE if name in figures.OBJECTIVE_STYLE else figures.METHOD_STYLE
    palette = {"#000000", "#999999", "#882255", *OKABE_ITO}
    assert styles[name][0] in palette
    assert list(styles.values()).count(styles[name]) == 1


def test_the_gallery_shows_the_largest_object_of_a_class_and_little_else():
    labels = np.zeros((60, 90), int)
    labels[10:20, 30:44] = 1
    labels[50:53, 80:83] = 1
    figure = figures.label_gallery({"one-hot": np.eye(2)[labels]}, 1, "a")
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape == (10 + 2 * 6, 14 + 2 * 6) and shown.sum() == 10 * 14


def test_a_matrix_that_is_next_to_empty_becomes_bars_that_say_where_its_weight_goes():
    to_background = np.eye(5) * 0.8
    to_background[:, 4] += 0.2
    everywhere = np.full((5, 5), 0.004) + np.eye(5) * 0.98
    figure = figures.matrices({"a": to_background, "b": everywhere}, [*"0123", "background"])
    words = [[text.get_text().strip() for text in axis.texts] for axis in figure.axes]
    assert words[0] == ["0.20 to bg"] * 4 + ["0.000"] and words[1] == ["0.02 spread over all"] * 5
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([0.2] * 4 + [0])
    to_background[1] = np.nan
    absent = figures.matrices({"a": to_background}, [*"0123", "background"]).axes[0].texts
    assert [text.get_text().strip() for text in absent[:3]] == ["0.20 to bg", "absent", "0.20 to bg"]
    confusion = figures.matrices({"a": np.full((5, 5), 0.25) * (1 - np.eye(5))}, [*"0123", "background"])
    assert [text.get_text() for text in confusion.axes[0].texts].count("0.25") == 20
    assert "0.00" not in [text.get_text() for text in confusion.axes[0].texts]


def test_pictures_of_scenes_are_cut_to_their_objects_at_one_scale():
    labels = np.zeros((2, 60, 90), int)
    labels[0, 10:20, 30:44] = labels[1, 2:4, 70:90] = 1
    columns = {"image": ("image", np.zeros((2, 60, 90, 1))), "true": ("classes", labels)}
    shapes = {axis.images[0].get_array().shape[:2] for axis in figures.class_maps([0, 1], columns, 2, 0).axes}
    assert shapes == {(22, 32)}
    labels[0] = 1
    whole = figures.class_maps([0, 1], columns, 2, 0).axes[0].images[0].get_array()
    assert whole.shape[:2] == (60, 90)
    several = {f"{i}": ("classes", labels) for i in range(5)}
    lines = [axis.get_subplotspec().rowspan.start for axis in figures.class_maps([0], several, 2, 0, width=2.8).axes]
    assert lines == [0, 0, 0, 1, 1, 1]


def test_an_interval_that_ends_below_a_logarithmic_axis_ends_in_an_arrow_on_it():
    table = pd.DataFrame({"labels": [100, 600], "mean": [20.0, 3.0], "low": [-5.0, 2.5], "high": [45.0, 3.5]})
    table = table.assign(target="supervised", metric="error")
    axis = figures.lines(table, "labels", "labels", {"error": "error, %"}, log_y=True).axes[0]
    lowest = min(segment[:, 1].min() for bars in axis.collections for segment in bars.get_segments())
    arrows = [line for line in axis.lines if line.get_marker() == CARETDOWNBASE]
    assert lowest == pytest.approx(1.8) and axis.get_ylim()[0] < 1.8
    assert [len(line.get_xdata()) for line in arrows] == [1] and arrows[0].get_ydata()[0] == pytest.approx(1.8)


def test_labels_of_differences_and_titles_of_outlines_do_not_run_into_their_neighbours():
    long = "one_hot_dice, bias taken out of labels"
    table = pd.DataFrame(
        {"target": [long], "objective": "one_hot_dice", "how": "bias taken out of labels", "metric": "d"}
    )
    table = pd.concat([table, table.assign(metric="e"), table.assign(metric="f")])
    table = table.assign(difference=0.1, low=0.0, high=0.2, verdict="better")
    panels = dict.fromkeys("def", ("mean surface distance, px", "lower"))
    figure = figures.paired_differences(table, table, panels, "one_hot_dice")
    assert not_overlapping(figure, [axis.xaxis.label for axis in figure.axes])
    disc = np.zeros((2, 64, 64), np.uint8)
    disc[:, 20:44, 20:44] = 255
    pictures = {"image": disc, "true": disc, "drawn": disc, "one_hot": disc, long: disc, "shift": disc}
    figure = figures.outlines(pictures, ["one_hot", long, "shift"])
    assert not_overlapping(figure, [axis.title for axis in figure.axes[:4]])
    assert "one_hot" not in "".join(axis.get_title() for axis in figure.axes)


def test_the_legend_names_pixels_of_no_known_class_where_there_are_some():
    labels = np.tile(np.uint8([0, 1, 0, 1]), (2, 4, 1))
    legend = lambda maps: [
        text.get_text()
        for text in figures.class_maps([0, 1], {"mask": ("classes", maps)}, 2, 0, names=["ground", "roof"])
        .legends[0]
        .get_texts()
    ]
    assert legend(labels) == ["ground", "roof"]
    labels[1, 0, 0] = 255
    assert legend(labels) == ["ground", "roof", "unknown, or outside the image"]


def not_overlapping(figure, texts):
    """Whether texts that stand side by side leave each other their place."""
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in texts]
    return all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:]))


def test_variants_of_an_objective_have_markers_of_their_own():
    shown = [("shift", "mean teacher"), ("shift", "Bayesian teacher"), ("one_hot_dice", "mean teacher"), ("shift", "")]
    table = pd.DataFrame(shown, columns=["objective", "how"])
    table["target"] = table["objective"] + table["how"]
    table = table.assign(labelled=20, metric="dice", mean=0.8, low=0.7, high=0.9)
    figure = figures.lines(table, "labelled", "labelled images", {"dice": "Dice"})
    drawn = [bars.lines[0] for bars in figure.axes[0].containers]
    markers = [line.get_marker() for line in drawn]
    assert markers[0] == markers[2] and len(set(markers)) == 3
    assert drawn[0].get_color() == drawn[1].get_color() != drawn[2].get_color()
