import numpy as np

from thesis_lib import figures


def test_the_window_is_where_drawings_differ_most_and_inside_the_image():
    truth = np.zeros((60, 90), np.uint8)
    drawn = truth.copy()
    drawn[2:8, 80:88] = 1
    drawn[40, 10] = 1
    rows, columns = figures.where_drawings_differ(truth, [drawn, truth], size=(20, 30))
    assert drawn[rows, columns].sum() == 48 and drawn[rows, columns].shape == (20, 30)
    assert figures.where_drawings_differ(truth, [truth], size=(100, 100)) == (slice(0, 60), slice(0, 90))
