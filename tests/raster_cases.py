"""Classes in colours and their table, which the tests of folders, crops and class tables share."""

from thesis_lib.data import ClassTable

COLOURS = ClassTable(("ground", "roof", "road"), ((0, 0, 0), (255, 255, 255), (200, 10, 30)))


def write_table(folder, rows="name,r,g,b\nground,0,0,0\nroof,255,255,255\nroad,200,10,30\n"):
    (folder / "label_class_dict.csv").write_text(rows)
