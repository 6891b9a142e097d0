"""A few of the damaged files that `make fuzz` goes on with."""

import fuzzing


def test_damaged_files_end_in_one_line(capfd):
    with capfd.disabled():
        assert fuzzing.run(0, 120) == []
