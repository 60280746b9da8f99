"""Places in plans: whatever can be read is shown, and the evaluator is asked only where there are few."""

import pytest


def stack(tasks, end=""):
    lines = "".join(f'  tasks.file."f{n:02}" = {{ path = "/f{n:02}", content = "a" }},\n' for n in range(tasks))
    return f'{{\n  name = "many",\n  hosts.a.connection = \'fake,\n{lines}}}{end}\n'


@pytest.mark.parametrize(("tasks", "end", "places"), [(30, "", 30), (30, " & {}", 0), (10, " & {}", 10)])
def test_places_in_a_plan(folder, tasks, end, places):
    folder.write("main.ncl", stack(tasks, end))
    told = folder.ok("plan", "--full")
    assert [line.strip() for line in told.splitlines() if "main.ncl:" in line] == [f"new (main.ncl:{4 + n})" for n in range(places)]
    assert folder.ok("plan", "--full") == told


def test_all_mistakes_in_an_imported_file_are_annotated(folder):
    lines = [f'  f{n} = {{ path = "/f{n}", mode = {n} }},' for n in range(40)]
    folder.write("main.ncl", '{ name = "many", tasks.file = import "part.ncl" }')
    folder.write("part.ncl", "\n".join(["{", *lines, "}"]))
    found = folder.g8r("validate", "--format", "github").out.splitlines()
    places = [f"file=part.ncl,line={n},col={line.index('mode = ') + 8}" for n, line in enumerate(lines, 2)]
    assert [line.partition(" ")[2].partition(",title")[0] for line in found] == places
