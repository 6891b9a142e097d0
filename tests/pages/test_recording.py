"""A page of what a terminal shows: its text, its colours by name, nothing loaded."""

import re

from rich.text import Text

from luce.pages.recording import COLOURS, recorded_page
from reports import EVIL, Reading


def shown(*parts):
    return recorded_page("a title", lambda console: [console.print(part) for part in parts])


def rules(page):
    """The declarations of each class of the recording, by its number."""
    return dict(re.findall(r"\.(r\d+) \{([^}]*)\}", page))


def test_every_colour_has_a_name_for_text_and_one_for_what_is_behind():
    texts = [Text("x", style=f"{front} on {behind}") for front, behind in zip(COLOURS, COLOURS[::-1], strict=True)]
    found = "; ".join(rules(shown(*texts)).values())
    for colour in COLOURS:
        assert f"; background-color: var(--{colour}-fill)" in found
        assert f" color: var(--{colour})" in f" {found}"
    assert "#" not in found


def test_every_name_has_a_value_in_light_and_dark():
    page = shown("x")
    light = page.partition(".terminal {")[0]
    for colour in COLOURS:
        assert re.search(rf"--{colour}: #[0-9a-f]{{6}};", light) and re.search(
            rf"--{colour}-fill: #[0-9a-f]{{6}};", light
        )
    dark = re.findall(r"prefers-color-scheme: dark\) \{(.*?)\n\}", page, re.DOTALL)
    assert len(dark) == 2 and "--red: #" in dark[1]


def contrast(one, other):
    """WCAG 2's contrast of two colours, 1 to 21."""

    def light(colour):
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def values(page, place):
    """The colours of the page by name: of its light look, or of its dark one over that."""
    screen = re.sub(r"@media print \{.*?\n\}", "", page, flags=re.DOTALL)
    dark = re.findall(r"@media \(prefers-color-scheme: dark\) \{.*?\n\}", screen, re.DOTALL)
    assert len(dark) == 2  # the shell's and the recording's
    for block in dark:
        screen = screen.replace(block, "")
    styles = screen + "".join(dark) if place == "dark" else screen
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", styles))


def test_text_can_be_read_in_light_and_dark():
    for place in "light", "dark":
        found = values(shown("x"), place)
        for colour in ("red", "green", "yellow", "blue", "magenta", "cyan", "quiet", "ink"):
            assert contrast(found[colour], found["card"]) >= 4.5, (place, colour)
        assert (
            contrast(found["white"], found["red-fill"]) >= 4.5 and contrast(found["black"], found["green-fill"]) >= 4.5
        )


def test_dim_text_is_quiet_and_other_colours_stay():
    found = "; ".join(rules(shown(Text("x", style="dim"), Text("y", style="#123456"))).values())
    assert "color: var(--quiet)" in found and "color: #123456" in found


def test_text_is_text_and_nothing_is_loaded():
    page = shown(Text(EVIL, style="bold red"), "a │ b")
    found = Reading(page)
    assert not found.faults
    assert EVIL in found.words and "a │ b" in found.words
    assert not {"script", "img", "iframe", "a"} & set(found.tags)
    assert "url(" not in page and "@import" not in page and "Content-Security-Policy" in page
    assert '<nav aria-label="Sections">' not in page
