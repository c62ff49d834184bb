"""Filling the templates beside this file; a page asks nothing of any network, so figures and pictures are inside it."""

import base64
from importlib import resources

from holdfast.devices import need


def rendered(name: str, **shown: object) -> str:
    """Return the template of this name with what it shows: plain text and numbers, which it escapes."""
    need("report")
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    quiet = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = quiet.get_template(name).render(shown)
    return page.encode("utf-8", "backslashreplace").decode()  # a path may hold what is no UTF-8


def data_uri(svg: str) -> str:
    """Return a figure as an address that holds all of it."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _source(name: str) -> str:
    return resources.files("holdfast.report").joinpath(name).read_text(encoding="utf-8")
