"""Interactive pictures for JupyterLab: controls of ipywidgets above a picture that follows them.

Without a browser the same cells run, and show in one sentence what would be there.
"""

import io
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np

from thesis_lib.extras import extra
from thesis_lib.figures import own_images as pictures
from thesis_lib.figures.annotation import where_drawings_differ
from thesis_lib.study import own_images

with extra("notebooks"):
    import ipywidgets
    from IPython.display import display

VIEW = "application/vnd.jupyter.widget-view+json"
WIDEST = 4.0  # px, of the slider for sigma


def png(figure):
    """The bytes of a figure as PNG; a figure of pyplot is closed."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=80)
    plt.close(figure)
    return file.getvalue()


def show(box, sentence):
    """Display a widget; where widgets cannot be shown, such as on a page, a sentence stands in its place."""
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    display({"text/plain": sentence, VIEW: view}, raw=True)


def following(draw, *controls):
    """A box of controls above a picture that is drawn again whenever one of them changes.

    Args:
        draw: function of the controls' values, in their order, to a matplotlib Figure.
        controls: ipywidgets with a value.

    Returns:
        ipywidgets.VBox; its last child is the picture.

    Example:
        >>> box = following(lambda epoch: figures.history(log[:epoch]), ipywidgets.IntSlider(3, 1, 9))
    """

    def drawn():
        return png(draw(*(control.value for control in controls)))

    picture = ipywidgets.Image(value=drawn(), format="png")

    def update(change):
        picture.value = drawn()

    for control in controls:
        control.observe(update, "value")
    return ipywidgets.VBox([*controls, picture])


def label_explorer(run, sigma):
    """Choose a training image and move sigma: the label, its posterior and its likelihood follow.

    Args:
        run: of `study.own_images.open_folder`.
        sigma: px, where the slider starts.

    Returns:
        (ipywidgets.VBox, Figure): a choice of images, a slider and the picture; and the picture for a page.
    """
    splits, task = run.task.splits, run.task
    names = task.annotators

    def draw(image, sigma):
        mask = splits.train.mask(image, names[0])
        window = where_drawings_differ(mask, [np.full_like(mask, task.background)], pictures.detail(mask))
        part = splits.train.image(image)[window], mask[window]
        return pictures.label_under_error(*part, sigma, splits.num_classes, task.background)

    options = [(path.stem, i) for i, path in enumerate(splits.train.images)]
    slider = ipywidgets.FloatSlider(min(sigma, WIDEST), min=0.0, max=WIDEST, step=0.1, description="sigma, px")
    slider.continuous_update = False
    box = following(draw, ipywidgets.Dropdown(options=options, description="image"), slider)
    return box, draw(0, slider.value)


def scene_brush(trained):
    """Brush through the test images: the drawing that judges, and what each network predicts.

    Args:
        trained: dict from an objective to its Run, scored.

    Returns:
        (ipywidgets.VBox, Figure): a slider and the picture; and the first three test images for a page.
    """
    task = next(iter(trained.values())).task

    def draw(*scenes):
        probabilities = {name: [own_images.object_probability(run, i) for i in scenes] for name, run in trained.items()}
        return pictures.predicted(trained, probabilities, scenes, task.judge, task.background, task.annotators)

    count = len(task.splits.test)
    box = following(draw, ipywidgets.IntSlider(0, min=0, max=count - 1, description="test image"))
    return box, draw(*range(min(3, count)))


@contextmanager
def training(run):
    """A progress bar and a live curve of a training that runs within.

    Args:
        run: Run.

    Yields:
        ipywidgets.VBox of the bar and the curve, which is on display.

    Example:
        >>> with training(run):
        ...     run.train()
    """
    bar = ipywidgets.IntProgress(0, 0, run.epochs, description="epochs")
    curve = ipywidgets.Image(format="png")
    box = ipywidgets.VBox([bar, curve])
    show(box, f"{run.objective}: a progress bar and a live curve in JupyterLab")

    def update(log):
        bar.value = len(log)
        curve.value = png(pictures.training_curve(log, run.epochs, run.objective))

    with own_images.follow(run, update):
        yield box
    bar.value, bar.description = run.epochs, "done"
