"""The command `thesis`: what the notebooks do, from a shell.

Exit codes: 0, done; 1, something in the input cannot be used, an `error:` line on stderr for each kind; 2, wrong usage.
"""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from thesis_lib import checks
from thesis_lib.extras import extra
from thesis_lib.paths import REPOSITORY
from thesis_lib.polling import polled

with extra("notebooks"):
    import click
    import yaml

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what TensorFlow's C++ code prints is for its developers
MOST = 5  # files of one fault that are named, each in a line
PATH = click.Path(path_type=Path)  # what is not there is an error of one line, too


class OneLine(click.Group):
    """Commands whose errors are a line each, without a traceback."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except (ValueError, OSError) as error:
            say_error(error)
            context.exit(1)


def say_error(error):
    """An error as a line on stderr."""
    click.echo(f"error: {' '.join(str(error).split())}", err=True)


@click.group(cls=OneLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="thesis-lib")
def main():
    """Train segmentation networks on masks that people drew imprecisely.

    \b
    A folder of one's own images holds
      images/      an image a file
      masks_ann/   ann's masks: files of the same names; 0 is background, 255 an object, or class numbers
      masks_bob/   bob's masks of the same images, from which the error of both can be measured
      unlabelled/  images without a mask, if any: train --set method=mean_teacher learns from them, too

    A single set of masks lies in masks/. Several classes in colours need label_class_dict.csv (name,r,g,b).
    Each annotator draws every image of the folder.

    \b
    Start with
      thesis annotators FOLDER    how far off are the annotators, and does it matter?
      thesis train FOLDER         a network, with scores
      thesis predict MODEL FILES  what it says of other images

    Exit code 0: done. 1: something in the input cannot be used, a line for each kind of error. 2: wrong usage.
    """


@main.command()
@click.argument("folder", type=PATH)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A field of segmentation.Run.")
def annotators(folder, settings):
    """How far off the annotators of FOLDER are, and what to train with.

    Prints what is wrong with the files, the bias and sigma of each annotator with 95% intervals (px), their typical
    error beside the width of the objects, and an advice. It takes two annotators, or one beside plain masks.

    \b
    Example: thesis annotators sample_data/drawn_nuclei
    """
    from thesis_lib.study import own_error, own_images

    _checked(folder)
    measured = own_error.measure(own_images.open_folder(folder.resolve(), "reports/own_images", _settings(settings)))
    click.echo(measured.annotators.round(2).to_string())
    click.echo(
        f"Typical error: {measured.advice.error:.2f} px (95% interval {measured.low:.2f} to {measured.high:.2f}), half "
        "the band that holds 68% of the displacements. Few large ones make sigma larger."
    )
    click.echo(measured.advice)
    program = sys.argv[0] if Path(sys.argv[0]).name == "thesis" else "thesis"  # as it was typed
    click.echo(f"Next: {program} train {folder}")


@main.command()
@click.argument("folder", type=PATH)
@click.option("--output", type=PATH, help="Folder to write to.  [default: FOLDER_trained]")
@click.option("--epochs", type=click.IntRange(1), default=40, show_default=True, help="Passes over the images.")
@click.option(
    "--objective", "objectives", multiple=True, help="What to optimise, such as shift; may be given several times."
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A field of segmentation.Run: width=16.")
def train(folder, output, epochs, objectives, settings):
    """Train on FOLDER, and score the network on test images that it has not seen.

    Without --objective it trains with one-hot + soft Dice and, where the annotators' error asks for it, with the
    target that the advice names. A training that was killed goes on when the same command is typed again; a finished
    one is taken as it is. With other settings it is trained anew, and the new network replaces the former one: give
    another --output to keep both. The network is OUTPUT/OBJECTIVE/best.keras.

    \b
    All fields for --set: .venv/bin/python -c "from thesis_lib.segmentation import Run; help(Run)"

    \b
    Example: thesis train sample_data/drawn_nuclei --epochs 5 --output /tmp/nuclei
    """
    from thesis_lib.study import own_error, own_files, own_images
    from thesis_lib.targets import OBJECTIVES

    for objective in objectives:
        checks.one_of("--objective", objective, OBJECTIVES)
    wrong = _checked(folder)
    output = (output or folder.with_name(f"{folder.resolve().name}_trained")).resolve()
    run = own_images.open_folder(folder.resolve(), output, {"epochs": epochs}, _settings(settings))
    try:
        measured = own_error.measure(run)
        click.echo(measured.advice)
    except own_files.Unusable as missing:
        measured = None
        click.echo(f"Not measured: {missing}.")
    splits = run.task.splits
    others = f", and on {len(splits.unlabelled)} without a mask" if splits.unlabelled else ""
    click.echo(
        f"Training on {len(splits.train)} images of {folder}{others}. {len(splits.validation)} validate, "
        f"{len(splits.test)} test."
    )
    if run.has_unlabelled and not run.uses_unlabelled:
        click.echo("Images in unlabelled/ are not learned from; with --set method=mean_teacher they are.")
    trained = own_images.train(run, objectives or own_images.objectives_for(measured), watch=_bar, reuse=True)
    table = own_images.score_table(trained)
    judge, names = run.task.judge, {**own_images.SCORES, "surface_dice": f"surface Dice at {run.tolerance:g} px"}
    shown = table.drop(columns="person").round(3).replace({"score": names})
    shown["who"] = shown["who"].where(~table["person"] | (table["who"] == "plain masks"), "annotator " + table["who"])
    judged_by = f"the masks of {judge}" if judge else "the plain masks"
    click.echo(f"Means over {len(run.task.splits.test)} test images, compared with {judged_by}, with 95% intervals:")
    click.echo(shown.to_string(index=False))
    for row in own_images.take_away(run, trained, measured, wrong, table).itertuples(index=False):
        click.echo(f"{output / row[0]}: {row[1]}")


@main.command()
@click.argument("model", type=PATH)
@click.argument("files", type=PATH, nargs=-1, required=True)
@click.option("--output", type=PATH, default=".", show_default=True, help="Folder to write to.")
@click.option("--background", type=click.IntRange(0, 254), default=0, show_default=True, help="Its class.")
@click.option("--classes", type=PATH, help="label_class_dict.csv, whose colours the classes get.")
@click.option("--structures", help="Names of the network's structures that may overlap: whole,core.")
@click.option("--tile", type=click.IntRange(96), default=224, show_default=True, help="Side of a tile, px.")
def predict(model, files, output, background, classes, structures, tile):
    """What the network MODEL (best.keras) says of image FILES, of any size.

    Writes NAME_classes.png, the most probable class of each pixel, and NAME_probability.png, the probability of
    anything but the background in 255ths. Two classes are black and white; more are class numbers, or have the colours
    of --classes. With --structures: NAME_STRUCTURE.png, white inside, and NAME_STRUCTURE_probability.png. A file that
    cannot be read is an error line, and the others are predicted.

    \b
    Example: thesis predict /tmp/nuclei/one_hot_dice/best.keras sample_data/drawn_nuclei/images/*.png \\
      --output /tmp/out
    """
    from thesis_lib import segmentation  # noqa: F401, registers the layers of its networks
    from thesis_lib.backend import keras  # without what TensorFlow prints while it is imported
    from thesis_lib.data import read_class_table
    from thesis_lib.files import writable_folder
    from thesis_lib.segmentation import accepted
    from thesis_lib.study import predicted_files

    if structures is not None:
        structures = [name.strip() for name in structures.split(",")]
        if len(set(structures)) < len(structures):
            raise ValueError(f"--structures must be different names; got {', '.join(structures)}")
        accepted.structures("--structures", dict.fromkeys(structures, 0))
    given = {path.resolve() for path in files}
    written = [path for file in files for path in predicted_files.paths(file, output, structures)]
    lost = [path for path in written if path.resolve() in given]
    if lost:
        raise ValueError(
            f"--output must be a folder where no prediction replaces one of FILES; got {lost[0]} among them"
        )
    names = [path.stem for path in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"FILES must have names of their own, up to the ending; got {twice[0]} twice")
    if not model.is_file():
        raise ValueError(f"MODEL must be a network that Keras saved, such as best.keras; got {model}, which is no file")
    try:
        network = keras.saving.load_model(model, compile=False)
    except (ValueError, TypeError, OSError) as error:
        why = str(error).partition(" Note that")[0]  # Keras goes on with formats that are not meant here
        raise ValueError(f"MODEL must be a network that Keras saved; {model} cannot be read: {why}") from None
    table, failed = classes and read_class_table(classes), False
    writable_folder(output)
    with click.progressbar(files, label="predicted", file=sys.stderr) as bar:
        for path in bar:
            try:
                predicted_files.write(network, path, output, background, table, structures, tile)
            except (ValueError, OSError) as error:
                say_error(error)
                failed = True
    if any(path.is_file() for path in written):
        click.echo(f"Predictions lie in {output.resolve()}/")
    sys.exit(1 if failed else 0)


@main.command()
@click.argument("file", type=PATH)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Runs side by side.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads of each run.")
def sweep(file, jobs, threads):
    """All runs of the experiment FILE, a file in experiments/, and the page that compares them.

    The same as `make report PROFILE=NAME`: what is finished is not run again, what was killed goes on. Results lie in
    reports/NAME/, the page is reports/index.html.

    \b
    Example: thesis sweep experiments/sample.yaml --jobs 2
    """
    from thesis_lib.study import experiments

    names = list(experiments.read(file).runs)
    profile, folder = file.stem, REPOSITORY / "reports" / file.stem
    if file.resolve() != (REPOSITORY / "experiments" / f"{profile}.yaml").resolve():
        raise ValueError(f"FILE must lie in {REPOSITORY / 'experiments'}/ and end in .yaml; got {file}")
    options = ["--cores", str(jobs * threads), "--config", f"profile={profile}", f"threads={threads}"]
    options += ["--keep-going", "--rerun-incomplete", "--nolock", "--rerun-triggers", "mtime", "params", "code"]
    rows = [folder / "runs" / name / "row.json" for name in names]
    for target in ("runs", "index"):
        command = [sys.executable, "-m", "snakemake", target, *options, "--quiet", "all"]
        with _counted(f"{target} of {profile}", len(rows), lambda: sum(row.is_file() for row in rows)):
            subprocess.run(command, cwd=REPOSITORY, check=False, stderr=subprocess.DEVNULL)
    page = subprocess.run([sys.executable, "-m", "thesis_lib.study.report", profile], cwd=REPOSITORY, check=False)
    missing = [row for row in rows if not row.is_file()]
    for row in missing:
        say_error(f"{row.parent.name} has no result; {row.with_name('papermill.log')} says why")
    sys.exit(1 if missing or page.returncode else 0)


def _checked(folder):
    """What is wrong with a folder's files, each printed; faults that stop are errors, and end the command."""
    from thesis_lib.study import own_files

    wrong = own_files.faults(folder.resolve())
    for row in wrong[~wrong["stops"]].itertuples():
        click.echo(f"note: {row.file} {row.fault}", err=True)
    stopping = wrong[wrong["stops"].astype(bool)]  # of an empty table, too
    for fault, files in stopping.groupby("fault", sort=False)["file"]:
        for file in files[:MOST]:
            say_error(f"{file} {fault}")
        if len(files) > MOST:
            say_error(f"{len(files) - MOST} more: {fault}")
    if stopping["fault"].str.match("has no mask in masks_").any():
        click.echo(
            "note: each annotator draws every image of a folder. Where one drew only some, copy these images and the "
            "masks of both into a folder of their own, and measure there",
            err=True,
        )
    if len(stopping):
        sys.exit(1)
    return wrong


def _settings(texts):
    """A dict from texts NAME=VALUE, whose values are YAML."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"must be NAME=VALUE; got {text!r}", param_hint="--set")
        if name in found:
            raise click.BadParameter(f"{name} must be given once; got it twice", param_hint="--set")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise click.BadParameter(f"{name} must have a value in YAML; got {value!r}", param_hint="--set") from error
    return found


@contextmanager
def _bar(run):
    """A progress bar of a training that runs within, on stderr."""
    from thesis_lib.study import own_images

    with click.progressbar(length=run.epochs, label=run.objective, file=sys.stderr) as bar:
        with own_images.follow(run, lambda log: bar.update(len(log) - bar.pos)):
            yield
        bar.update(run.epochs - bar.pos)


@contextmanager
def _counted(label, length, count):
    """A progress bar that follows a count while something runs within, on stderr."""
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        with polled(lambda: bar.update(count() - bar.pos), every=1):
            yield
        bar.update(count() - bar.pos)


if __name__ == "__main__":
    main()
