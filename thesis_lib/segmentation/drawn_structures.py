"""Who drew one of the structures that overlap, and how far off they are: `DrawnRasters` of its outlines alone."""

from dataclasses import dataclass

from thesis_lib.data.structures import structures
from thesis_lib.segmentation.drawn_rasters import DrawnRasters


@dataclass(frozen=True)
class _Channel:
    """Masks of one annotator as 1 in a structure and 0 outside, each read when it is asked for."""

    maps: object
    numbers: list

    def __len__(self):
        return len(self.maps)

    def __getitem__(self, i):
        return structures(self.maps[i], {"": self.numbers})[..., 0]


class Structure(DrawnRasters):
    """One structure of a task, and all that is outside it as the background: how far off its annotators are.

    Args:
        task: the task of all structures.
        name: the structure's.
        numbers: the classes that belong to the structure.
        base: a Structure of the same data, which this one asks for all that it has measured.
    """

    background, num_classes = 0, 2

    def __init__(self, task, name, numbers, base=None):
        super().__init__(task.run, base)
        self.task, self.name, self.numbers = task, name, numbers

    @property
    def splits(self):
        return self.task.splits

    @property
    def spacing(self):
        return self.task.spacing

    @property
    def believed_prior(self):
        return self.run.boundary_prior[self.name]

    def prior(self, kind):
        try:
            return super().prior(kind)
        except ValueError as error:
            raise ValueError(f"{error}; the outlines of the structure {self.name!r} could not be measured") from error

    def drawn_by(self, rasters, annotator):
        return _Channel(super().drawn_by(rasters, annotator), self.numbers)
