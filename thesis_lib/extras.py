"""The optional packages: a failed import says which extra of this library brings what is missing."""

from contextlib import contextmanager


@contextmanager
def extra(name):
    """Imports that need an extra stand inside: `with extra("notebooks"): import seaborn`.

    Args:
        name: the extra in pyproject.toml that brings the packages.

    Raises:
        ModuleNotFoundError: if a package is missing; the message names it and the command that installs the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"{error.name} is not installed; `pip install '.[{name}]'` in the repository installs it"
        raise ModuleNotFoundError(message, name=error.name) from error
