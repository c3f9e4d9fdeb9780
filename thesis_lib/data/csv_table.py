"""The cells of a CSV table that a person wrote, read by pandas."""

import csv
import io
import re

import pandas as pd

from thesis_lib.data.reading import same_form

MOST_CELLS = 10_000_000


def read_csv_table(content):
    """Read every cell as text, exactly as it is written: "NA", "None" and "01" stay so.

    Text becomes Unicode's form NFC. Spaces around cells and empty rows are dropped. A row may lack commas at its end,
    or have too many there.

    Args:
        content: the file's bytes, UTF-8 with or without a byte order mark.

    Returns:
        (column names, DataFrame of the other rows): the names are a list of texts, without empty ones at its end. The
        DataFrame has a column 0, 1, ... for each cell of the widest row, "" where a row has none. Its index holds the
        line of the file where a row ends.

    Raises:
        ValueError: saying what is wrong; the caller names the file.
    """
    text = same_form(content.decode("utf-8-sig")).replace("\r\n", "\n").replace("\r", "\n")
    rows, widest = text.count("\n") + 1, 1
    if rows <= MOST_CELLS:
        widest = _widest(text)  # pandas would take the first row's width, and wider rows' first cells for an index
    if rows * widest > MOST_CELLS:
        raise ValueError(f"rows times columns must be at most {MOST_CELLS:,}; got {rows:,} rows of up to {widest:,}")
    try:
        cells = pd.read_csv(
            io.StringIO(text),
            header=None,
            names=range(widest),
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            skip_blank_lines=False,
            index_col=False,
        )
    except pd.errors.ParserError as error:
        unclosed = re.search(r"EOF inside string starting at row (\d+)", str(error))
        raise ValueError(f"line {int(unclosed[1]) + 1}: a quoted cell is not closed" if unclosed else error) from error
    line_breaks = cells.apply(lambda column: column.str.count("\n")).sum(axis=1)  # within quoted cells
    cells.index += 1 + line_breaks.cumsum()
    cells = cells.apply(lambda column: column.str.strip())
    cells = cells[(cells != "").any(axis=1)]
    if cells.empty:
        return [], cells
    names = cells.iloc[0].tolist()
    while names[-1] == "":
        names.pop()
    return names, cells.iloc[1:]


def check_widths(name, head, rows):
    """Raise for the first row of a table `name` that has more values than columns: a comma in it may lack quotes."""
    too_long = rows[(rows.iloc[:, len(head) :] != "").any(axis=1)]
    if len(too_long):
        raise ValueError(
            f"{name}, row {too_long.index[0]}: there must be no more than {len(head)} values; "
            f"got {','.join(too_long.iloc[0]).rstrip(',')!r}"
        )


def _widest(text):
    """Number of cells of the widest row, whose quoted cells may hold commas and line breaks."""
    try:
        return max((len(row) for row in csv.reader(io.StringIO(text), skipinitialspace=True)), default=1) or 1
    except csv.Error as error:  # a cell of more than 131,072 characters
        raise ValueError(str(error)) from error
