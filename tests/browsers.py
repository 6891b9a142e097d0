"""The browser that pages are opened in."""

import os
import shutil
import sys

import pytest

BROWSERS = "chromium", "chromium-browser", "google-chrome"


def installed_browser():
    """The path of a browser; without one tests are skipped, but in CI, which does not do without, they fail."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing = f"no browser to open the page in: none of {', '.join(BROWSERS)} on the PATH"
        pytest.fail(missing) if os.environ.get("CI") and sys.platform == "linux" else pytest.skip(missing)
    return found
