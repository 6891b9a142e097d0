"""The public name of the pytest plugin for conformance tests, which lives in :mod:`luce_pytest.conforms`.

``pytest_plugins = ["luce.check.plugin"]`` in a `conftest.py`, or ``-p luce.check.plugin``, loads it.
"""

pytest_plugins = ["luce_pytest.conforms"]
