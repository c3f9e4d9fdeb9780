"""The rows of a CSV table that a person wrote."""

import csv
import io


def csv_rows(content):
    """Read a table.

    Args:
        content: the file's bytes, UTF-8 with or without a byte order mark.

    Returns:
        A list of (line in the file, list of cells without the spaces around them), without the empty rows.

    Raises:
        ValueError: saying what is wrong; the caller names the file.
    """
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), skipinitialspace=True, strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from error
    return [(line, row) for line, row in rows if any(row)]
