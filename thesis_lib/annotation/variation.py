"""How people vary when they draw the same objects: what a prior, a kernel and a simulated annotator need of it.

Each object that someone draws has an offset and a spread of its own, which `empirical_bayes` describes. Besides these,
`variation` measures how errors grow with the object, how far they correlate along the boundary, how heavy their tails
are, and how often objects are missed or invented. Every interval is a bootstrap over groups of images (Efron &
Tibshirani, An Introduction to the Bootstrap, 1993), since displacements of one object, and objects of one scan or
patient, are not independent.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from thesis_lib import checks
from thesis_lib.annotation import empirical_bayes, voxels
from thesis_lib.annotation.consensus import shape_based_average
from thesis_lib.annotation.displacements import object_displacements, warn_of_small_radius
from thesis_lib.annotation.moments import Correlation, checked_series
from thesis_lib.annotation.presence import background_of, drawn_objects, images, rates
from thesis_lib.annotation.prior import BoundaryPrior
from thesis_lib.annotation.quantities import Measured
from thesis_lib.annotation.simulated import annotator

LENGTHS = ("bias", "sigma", "offset", "deviation", "diameter", "correlation_length")  # have a value in mm as well
ALIKE = 0.05  # px; a smaller standard deviation along a boundary is below what a mask shows
UNITS = {**dict.fromkeys(LENGTHS, "px"), "scale": "px^2"}


@dataclass(frozen=True)
class Variation:
    """How annotators vary, as `variation` measured it.

    Args:
        objects: DataFrame with a row for each object and annotator: annotator, image (number), group, object (its
            number in the image), diameter (px, of a disc of the area of the consensus), and bias, spread (px) and
            count, the mean, the standard deviation and the number of its displacements.
        series: list of arrays, the displacements of each row of `objects`, px, in order along the boundary.
        drawn: DataFrame of `missed_and_invented`, with the group of each image.
        biases: dict from an annotator's name to their mean displacement, px; empty where annotators are anonymous.
        prior: BoundaryPrior of an object of `diameter`: displacements are divided by (D / `diameter`)^`growth` for an
            object of diameter D.
        diameter: geometric mean over `objects`, px.
        growth: exponent by which displacements grow with the diameter.
        correlation: along the boundary, px.
        quantities: dict with the estimates of all that `table` lists, in px.
        spacing: side of a pixel, mm, of each row of `objects`; None if it is not known, or lengths are in mm already.
        points: of volumes, the places of the displacements of each row of `objects` on its surface; None of images.
        unit: of all lengths: px, or mm where volumes were measured with a spacing.
        far: list of arrays, the displacements of each row of `objects` that are left out of `series`, as they belong to
            another boundary; see `object_displacements`. None where they are not known.
    """

    objects: pd.DataFrame
    series: list
    drawn: pd.DataFrame
    biases: dict
    prior: BoundaryPrior
    diameter: float
    growth: float
    correlation: Correlation
    quantities: dict
    spacing: np.ndarray | None = None
    points: list | None = None
    unit: str = "px"
    far: list | None = None

    @classmethod
    def of(cls, objects, series, drawn, biases, spacing=None, points=None, unit="px", far=None):
        """The Variation of these displacements. Of `objects` only the columns group and diameter are used."""
        checks.table("objects", objects, ("group", "diameter"))
        checks.table("drawn", drawn, ("group", "objects", "missed", "invented"))
        if len(checked_series(series)) != len(objects):
            raise ValueError(f"series must be one for each of {len(objects)} rows of objects; got {len(series)}")
        measured = Measured.of(checked_series(series), objects["diameter"], points)
        along = measured.moments.correlation()
        quantities = measured.quantities(along) | rates(drawn)
        mean, mean_weight, shape, scale = (quantities[name] for name in ("bias", "mean_weight", "shape", "scale"))
        prior = BoundaryPrior.known(0.0, unit=unit)
        if not np.isinf(shape):
            prior = BoundaryPrior(mean, mean_weight, shape, scale, unit)
        growth = quantities["growth"]
        found = objects, series, drawn, biases, prior, measured.diameter, growth, along, quantities
        return cls(*found, spacing, points, unit, far)

    def part(self, keep):
        """The Variation of some rows of `objects`: keep is a boolean for each. The rates stay those of all."""
        keep = checks.array("keep", keep)
        if keep.shape != (len(self.objects),) or keep.dtype != bool or keep.sum() < 2:
            raise ValueError(
                f"keep must be a boolean for each of {len(self.objects)} rows, True for two or more; got {keep!r}"
            )
        series = [self.series[i] for i in np.flatnonzero(keep)]
        points = None if self.points is None else [self.points[i] for i in np.flatnonzero(keep)]
        spacing = None if self.spacing is None else self.spacing[keep]
        far = None if self.far is None else [self.far[i] for i in np.flatnonzero(keep)]
        return Variation.of(self.objects[keep], series, self.drawn, self.biases, spacing, points, self.unit, far)

    def with_far(self):
        """The Variation with the displacements that were left out: what leaving them out has changed.

        They have no place along the boundary, so its correlation means nothing.

        Raises:
            ValueError: of volumes, or where they are not known.
        """
        if self.far is None or self.points is not None:
            raise ValueError("with_far needs a Variation that `variation` measured, of images, not of volumes")
        series = [np.concatenate(both) for both in zip(self.series, self.far)]
        return Variation.of(self.objects, series, self.drawn, self.biases, self.spacing, None, self.unit)

    def table(self, level=0.95, repeats=200, seed=0):
        """Every quantity with its interval, from a bootstrap over groups.

        | quantity | what it is |
        | --- | --- |
        | bias, mean_weight, shape, scale | the parameters of `prior` |
        | tail | 2 shape, the degrees of freedom of the predictive distribution |
        | sigma | sqrt(scale / shape), the spread within a typical object |
        | offset | sigma / sqrt(mean_weight), the spread of the objects' biases |
        | deviation | standard deviation of all displacements |
        | diameter, growth | see the fields |
        | correlation_length, correlation_growth | of a typical boundary; its exponent with the boundary's length |
        | offset_share | share of the variance that is one offset for the whole object, 1 / (1 + mean_weight) |
        | between_share | share of the variance that is between the mean displacements of objects |
        | kurtosis | excess kurtosis of all displacements |
        | kurtosis_within | the same after each object's own mean and standard deviation are taken out, 0 for a Normal |
        | missed, invented | for each object that the reference holds, see `missed_and_invented` |

        between_share is larger than offset_share, since the mean of a correlated error along a short boundary varies
        too. An object's own mean and standard deviation, from few effective displacements, shorten its tails: the
        fourth moment of a Normal is then 3 n / (n + 2) for n degrees of freedom. kurtosis_within is what exceeds that.

        Args:
            level: of the interval, between 0 and 1.
            repeats: resamples of the groups.
            seed: whole number.

        Returns:
            DataFrame with quantity, unit (px, px^2, mm, mm^2 or none), estimate, low, high. The interval is missing if
            there is a single group. Lengths have a second row in mm where `spacing` is known, from displacements in mm;
            only the correlation length is converted by the geometric mean of `spacing`.
        """
        level = checks.real("level", level, 0.0, 1.0, open_low=True, open_high=True)
        groups = pd.concat([self.objects["group"], self.drawn["group"]])
        weights = empirical_bayes.bootstrap_weights(groups, repeats, seed)
        measured = {self.unit: Measured.of(self.series, self.objects["diameter"], self.points)}
        own = measured[self.unit]
        if self.spacing is not None:
            measured["mm"] = own.scaled(self.spacing)
        draws, rows = [], []
        for of_objects, of_drawn in zip(weights[:, : len(self.objects)], weights[:, len(self.objects) :]):
            if of_objects.sum() > 1:
                draws.append((own.moments.correlation(of_objects), of_objects, of_drawn))
        for unit, objects in measured.items():
            estimates = self.quantities if objects is own else objects.quantities(self.correlation)
            again = []
            for along, of_objects, of_drawn in draws:
                again.append(objects.quantities(along, of_objects) | rates(self.drawn, of_drawn))
            for name in estimates if objects is own else LENGTHS:
                values = np.array([one[name] for one in again])
                values = values[~np.isnan(values)] if groups.nunique() > 1 else values[:0]
                tails = (1 - level) / 2, (1 + level) / 2
                low, high = np.quantile(values, tails) if len(values) else (np.nan, np.nan)
                of_unit = UNITS.get(name, "").replace("px", unit)
                rows.append((name, of_unit, estimates[name], low, high))
        return pd.DataFrame(rows, columns=["quantity", "unit", "estimate", "low", "high"])

    def standardised(self):
        """All displacements, divided by their standard deviation, before and after each object's own are taken out.

        Returns:
            dict of arrays (displacements,): "as measured", "offset taken out", without each object's mean, and "offset
            and scale taken out", also divided by its standard deviation; objects whose displacements are all alike
            are left out of the last.
        """
        own = [one - one.mean() for one in self.series]
        steps = {
            "as measured": np.concatenate(self.series),
            "offset taken out": np.concatenate(own),
            "offset and scale taken out": np.concatenate([one / one.std() for one in own if one.std() > ALIKE]),
        }
        return {title: values / values.std() for title, values in steps.items()}

    def annotator(self, **changes):
        """The simulated annotator that errs like these.

        Args:
            changes: fields of `Population` that differ, such as factor=2.0 or missed=0.0.

        Returns:
            Population.

        Raises:
            ValueError: if a field is not known, or not in its range.
        """
        fields = {
            "prior": self.prior,
            "correlation_length": max(self.correlation.length, 0.05),
            "diameter": self.diameter,
            "growth": self.growth,
            "correlation_growth": self.correlation.growth,
            "missed": self.quantities["missed"],
            "invented": self.quantities["invented"],
        }
        return annotator("population", **{**fields, **changes})


def variation(annotations, references=None, background=None, search_radius=10.0, groups=None, spacing=None):
    """How annotators vary from object to object, measured on what several drew of the same images.

    Displacements are those of `object_displacements`: against the references, or against the `shape_based_average` of
    those who drew anything in the image. That average lies nearer to each of m drawings of an object than the truth
    does, so displacements are multiplied by sqrt(m / (m - 1)). An object that one annotator alone drew has none.

    Where annotators have names, each one's mean displacement is replaced by the mean over all annotators: it is not a
    difference between objects. The bias of an anonymous annotator is a part of the objects' offsets.

    Args:
        annotations: of named annotators, a dict from a name to label maps, as for `agreement`. Of anonymous annotators
            a sequence with an entry for each image: label maps (M, H, W), or a list of (H, W), where M may vary from
            image to image. M is 2 or more, or 1 with references. An annotator who saw the image and drew nothing has a
            map of background. Of volumes, maps are (D, H, W).
        references: the true maps of the images, or None.
        background: the background's class; the most frequent class of the first map if None.
        search_radius: px, at least 0.5; larger displacements are not seen.
        groups: of each image, such as its scan or patient; each image by itself if None. Intervals resample groups.
        spacing: of images, side of a pixel, mm: a number, or one for each image; lengths are then in px and in mm. Of
            volumes, sides of a voxel (planes, rows, columns), mm, or a sequence of these, one for each volume;
            `search_radius` and all lengths are then in mm. None if it is not known.

    Returns:
        Variation.

    Raises:
        ValueError: if annotators or images are missing, maps differ in shape, groups or spacing are not as many as the
            images, or fewer than two objects can be measured.

    Example: four radiologists a nodule, whoever they are.
        >>> slices = lidc_slices("sample", drawn_by=2)[:30]  # thesis_lib.data
        >>> scans, spacing = zip(*[(one.scan, one.spacing) for one in slices])
        >>> measured = variation([one.masks for one in slices], None, 0, groups=scans, spacing=spacing)
        >>> measured.table()
        >>> drawn = measured.annotator(factor=2.0)(masks, seed=0)
    """
    number, drawings = images(annotations, references)
    groups = range(number) if groups is None else _one_an_image("groups", groups, number)
    first = next(iter(drawings(0).values()))
    voxel_sides, spacing = _spacings(spacing, number, first.ndim)
    rows, series, far, points, drawn = [], [], [], [], []
    for i in range(number):
        maps = drawings(i)
        background = background_of(maps, background)
        true = None if references is None else references[i]
        for row in drawn_objects(maps, true, background).itertuples(index=False):
            drawn.append((i, groups[i], *row))
        for name, factor, one in _displacements(maps, true, background, search_radius, voxel_sides[i]):
            rows.append((name, i, groups[i], one.number, one.diameter, factor))
            series.append(one.values)
            far.append(one.far)
            points.append(one.points)
    if len(series) < 2:
        whom = "each other" if references is None else "the references"
        raise ValueError(f"annotations must share two objects or more with {whom}; {len(series)} could be measured")
    objects = pd.DataFrame(rows, columns=["annotator", "image", "group", "object", "diameter", "factor"])
    biases = _biases(objects["annotator"], series) if isinstance(annotations, dict) else {}
    common = float(np.mean(list(biases.values()))) if biases else 0.0
    factors = objects.pop("factor")
    for i, (name, factor) in enumerate(zip(objects["annotator"], factors)):
        series[i], far[i] = (common + factor * (one[i] - biases.get(name, common)) for one in (series, far))
    values, unit = np.concatenate(series), voxels.unit(voxel_sides[0])
    warn_of_small_radius(search_radius, values.std(), values.mean(), unit)
    objects["bias"] = [one.mean() for one in series]
    objects["spread"] = [one.std() for one in series]
    objects["count"] = [len(one) for one in series]
    drawn = pd.DataFrame(drawn, columns=["image", "group", "annotator", "objects", "missed", "invented"])
    spacing = None if spacing is None else spacing[objects["image"]]
    return Variation.of(objects, series, drawn, biases, spacing, points if first.ndim == 3 else None, unit, far)


def _spacings(spacing, number, axes):
    """(sides of a voxel for each volume or None, side of a pixel for each image, mm, or None)."""
    if axes == 3:
        sides = voxels.lengths_of_images(spacing, number)
        return [None if one is None else voxels.lengths(one, 3) for one in sides], None
    if spacing is not None:
        is_number = not checks.array("spacing", spacing).ndim
        spacing = [spacing] * number if is_number else _one_an_image("spacing", spacing, number)
        spacing = np.array([checks.real("spacing", one, 0.0, open_low=True) for one in spacing])
    return [None] * number, spacing


def _biases(names, series):
    """Mean displacement of each annotator."""
    together = {}
    for name, one in zip(names, series):
        together.setdefault(name, []).append(one)
    return {name: float(np.concatenate(several).mean()) for name, several in together.items()}


def _displacements(maps, true, background, search_radius, sides):
    """Yield (annotator, factor, ObjectDisplacements) for each object of an image that can be measured."""
    distances = None
    if true is None:
        voters = [one for one in maps.values() if (one != background).any()]
        if len(voters) < 2:
            return
        true, distances = shape_based_average(voters, background, sides)
    found = {}
    for name, one in maps.items():
        of_both = one[None], np.asarray(true)[None], background, search_radius
        for single in object_displacements(*of_both, distances=distances, spacing=sides):
            found.setdefault(single.number, []).append((name, single))
    for _, several in sorted(found.items()):
        m = len(several)
        if distances is None or m > 1:
            factor = 1.0 if distances is None else float(np.sqrt(m / (m - 1)))
            yield from ((name, factor, single) for name, single in several)


def _one_an_image(name, values, number):
    if not hasattr(values, "__len__") or len(values) != number:
        raise ValueError(f"{name} must be one for each of {number} images; got {values!r:.200}")
    return list(values)
