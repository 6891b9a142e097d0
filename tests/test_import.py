"""What `import luce` costs: NumPy and the compiled module; and what the package ships for type checkers."""

import ast
import sys
from importlib.resources import files

import pytest

import luce
from luce import _core
from subprocesses import output

PUBLIC = {
    "cross_entropy",
    "cross_entropy_and_grad",
    "cross_entropy_hvp",
    "cross_entropy_target_grad",
    "linear_cross_entropy",
    "linear_cross_entropy_and_grad",
    "linear_cross_entropy_hvp",
    "log_softmax",
    "logsumexp",
    "set_num_threads",
    "show_config",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_and_grad",
    "softmax",
    "softmax_jvp",
    "softmax_vjp",
}
MODULES = "import {}, sys; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"


def test_import_loads_numpy_and_the_core_alone():
    numpy_alone = set(output(MODULES.format("numpy")).split())
    loaded = set(output(MODULES.format("luce")).split())
    foreign = {m for m in loaded - numpy_alone - {"luce", "numpy"} if m not in sys.stdlib_module_names}
    assert not foreign, f"import luce loads {foreign}"


def test_using_the_loss_loads_no_more():
    code = """
import sys, luce
value, grad = luce.cross_entropy_and_grad([[1.0, 2.0]], [0])
luce.linear_cross_entropy_and_grad([[1.0]], [[1.0], [2.0]], [0])
luce.jacobians.softmax([1.0, 2.0])
heavy = {"scipy", "sklearn", "torch", "jax", "mpmath", "typer", "rich", "polars", "matplotlib", "pandas", "skops"}
print(sorted(heavy & set(sys.modules)))
"""
    assert output(code) == "[]"


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_names(name):
    function = getattr(luce, name)
    assert name in luce.__all__ and name in dir(luce)
    assert function.__doc__ and len(function.__doc__.splitlines()) > 3


def test_star_import_gives_what_all_says():
    names = output("from luce import *; print(*sorted(n for n in globals() if not n.startswith('__')))").split()
    assert set(names) >= PUBLIC


def test_an_absent_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        luce.no_such_name  # noqa: B018


def test_entering_the_checks_loads_no_more():
    heavy = {"torch", "jax", "mpmath", "rich", "scipy"}
    assert output(f"import luce, sys; luce.check; print(sorted({heavy} & set(sys.modules)))") == "[]"


@pytest.mark.parametrize("missing", ["mpmath"])
def test_a_missing_extra_says_which(missing):
    code = f"""
import sys; sys.modules[{missing!r}] = None
try:
    import luce.check.oracle
except ImportError as error:
    print(error)
"""
    assert "luce[check]" in output(code)


def test_sparse_without_scipy_says_which_extra():
    code = """
import sys; sys.modules["scipy"] = None; sys.modules["scipy.sparse"] = None
import luce
try:
    luce.jacobians.linear([1.0], 2, sparse=True)
except ImportError as error:
    print(error)
"""
    assert "luce[models]" in output(code)


def test_the_package_is_typed():
    assert files("luce").joinpath("py.typed").is_file()


def test_the_stub_names_what_the_module_has():
    tree = ast.parse(files("luce").joinpath("_core.pyi").read_text())
    stubbed = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            stubbed.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            stubbed.add(node.target.id)
    public = {name for name in dir(_core) if not name.startswith("_")}
    assert {name for name in stubbed if not name.startswith("_")} == public
