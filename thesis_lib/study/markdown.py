"""Lists and tables in Markdown."""


def bullets(sentences):
    """A Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def table(header, lines):
    """A Markdown table of texts: names of the columns, and the cells of each line."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *lines))
