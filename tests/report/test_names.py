import ast
from pathlib import Path
from types import ModuleType

import pytest

import holdfast.report as report
from holdfast import experiments

FILES = sorted(Path(report.__file__).parent.glob("*.py"))


def test_the_published_names_exist_and_are_sorted() -> None:
    assert all(hasattr(report, name) for name in report.__all__)
    types, functions = ([name for name in report.__all__ if name[0].isupper() is upper] for upper in (True, False))
    assert report.__all__ == sorted(types) + sorted(functions)


@pytest.mark.parametrize("package", [report, experiments], ids=lambda package: package.__name__)
def test_no_published_name_hides_a_module(package: ModuleType) -> None:
    assert not {path.stem for path in Path(package.__file__ or "").parent.glob("*.py")} & set(package.__all__)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_draws_is_imported_only_where_it_draws(file: Path) -> None:
    top = ast.parse(file.read_text(encoding="utf-8")).body
    modules = [node.module or "" for node in top if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in top if isinstance(node, ast.Import) for alias in node.names]
    assert not {"matplotlib", "jinja2", "PIL"} & {module.split(".")[0] for module in modules}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_renders_attacks_judges_and_trains_nothing(file: Path) -> None:
    nodes = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    modules = [node.module or "" for node in nodes]
    modules += [f"{node.module}.{alias.name}" for node in nodes for alias in node.names]
    assert not {"attacks", "evaluation", "methods", "models", "training"} & {
        module.split(".")[1] for module in modules if module.startswith("holdfast.")
    }
