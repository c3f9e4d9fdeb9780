import numpy as np
import pandas as pd
import pytest
from scipy import stats

from thesis_lib import figures
from thesis_lib.study import drawn_pairs


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
