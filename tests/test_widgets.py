"""The widgets of notebook 0: in a kernel without a browser, and in JupyterLab, driven in a headless Chromium."""

import io
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import numpy as np
import pandas as pd
import pytest
from own_cases import disc, save, write_discs
from PIL import Image

from thesis_lib.figures import widgets
from thesis_lib.paths import REPOSITORY
from thesis_lib.study import own_images

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CELL = """
from thesis_lib.figures import widgets
from thesis_lib.study import own_images
run = own_images.open_folder({data!r}, {output!r})
explorer, _ = widgets.label_explorer(run, 1.0)
brush, _ = widgets.scene_brush({{"one_hot_dice": run.variant(output=run.output + "/one_hot_dice")}})
widgets.show(explorer, "")
widgets.show(brush, "")
"""
PICTURES = """async () => Promise.all([...document.querySelectorAll("img.widget-image")].map(async image => {
    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
    return image.naturalWidth + " " + bytes.reduce((hash, byte) => (hash * 31 + byte) % 4294967291, 7);
}))"""


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder of discs, and an output folder with what a network that knows a disc of 8 px says of the test images."""
    root = tmp_path_factory.mktemp("widgets")
    data, output = write_discs(root / "data"), root / "out"
    run = own_images.open_folder(data, output)
    for number, path in enumerate(run.task.splits.test.images):
        save(output / "one_hot_dice" / "test" / f"{path.stem}_probability.png", 255 * disc(8 + number))
    return data, output


def picture(box):
    """The pixels of the picture of a box."""
    return np.asarray(Image.open(io.BytesIO(box.children[-1].value)).convert("RGB"), int)


def test_the_label_explorer_follows_the_image_and_sigma(places):
    box, still = widgets.label_explorer(own_images.open_folder(*places), 1.0)
    choice, slider, _ = box.children
    assert len(choice.options) == 6 and len(still.axes) == 5
    pictures = [picture(box)]
    for control, value in ((choice, 1), (slider, 3.0)):
        control.value = value
        pictures.append(picture(box))
    assert np.abs(pictures[1] - pictures[0]).sum() > 0 and np.abs(pictures[2] - pictures[1]).sum() > 0


def test_a_training_has_a_bar_and_a_curve(places):
    run = own_images.open_folder(*places, {"epochs": 4})
    run.folder.mkdir(exist_ok=True)
    log = pd.DataFrame({"epoch": [0, 1], "loss": [1.0, 0.5], "val_loss": [1.0, 0.7]})
    with widgets.training(run) as box:
        bar, curve = box.children
        assert bar.value == 0 and not curve.value
        log.to_csv(run.folder / "log.csv", index=False)
        until = time.monotonic() + 5
        while not curve.value and time.monotonic() < until:
            time.sleep(0.05)
        assert bar.value == 2 and bytes(curve.value).startswith(b"\x89PNG")
    assert bar.value == bar.max == 4


@pytest.fixture
def lab(places, tmp_path):
    """The address of a notebook in a JupyterLab that runs."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CELL.format(data=str(places[0]), output=str(places[1])))]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "widgets.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, folder = secrets.token_hex(16), tmp_path / "jupyter"
    here = f"http://127.0.0.1:{port}"
    options = ["--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1", f"--IdentityProvider.token={token}"]
    options += [
        f"--ServerApp.root_dir={tmp_path}",
        f"--LabApp.user_settings_dir={folder}",
        f"--LabApp.workspaces_dir={folder}",
    ]
    settings = {"JUPYTER_CONFIG_DIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder), "PYTHONPATH": str(REPOSITORY)}
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{here}/api?token={token}", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None and time.monotonic() < until, "JupyterLab did not start"
                time.sleep(0.2)
        yield f"{here}/doc/tree/widgets.ipynb?token={token}"
    finally:
        server.terminate()
        server.wait()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_pictures_follow_the_controls_in_jupyterlab(lab):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1300, "height": 1400})
        page.set_default_timeout(90_000)
        page.goto(lab)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        page.get_by_text("| Idle").wait_for()  # the kernel
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Control+Enter")
        page.locator("img.widget-image").nth(1).wait_for()
        seen = [page.evaluate(PICTURES)]

        def changed(which):
            """Wait until a picture is another one; the other stays."""
            until = time.monotonic() + 30
            while page.evaluate(PICTURES)[which] == seen[-1][which]:
                assert time.monotonic() < until, "the picture did not change"
                time.sleep(0.1)
            seen.append(page.evaluate(PICTURES))
            assert seen[-1][1 - which] == seen[-2][1 - which] and not seen[-1][which].startswith("0 ")

        page.locator(".widget-dropdown select").select_option(index=2)
        changed(0)
        sigma, scene = page.locator(".noUi-handle").all()
        for handle, which in ((sigma, 0), (scene, 1)):
            handle.focus()
            page.keyboard.press("ArrowRight")
            changed(which)
        assert page.locator(".widget-readout").all_inner_texts() == ["1.10", "1"]
        browser.close()
