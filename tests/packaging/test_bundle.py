"""The bundle runs wherever a host puts it: as a blob, without a network, and in nothing of the page but its own element."""

import re

import pytest

from circuit_widget.widget.preconditions import BUNDLE, FRONTEND, PANELS

NAMESPACES = {"http://www.w3.org/1998/Math/MathML", "http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg"}
"""Names of namespaces, which nothing loads."""

PAGE = {"document.createElement", "navigator.clipboard", "window.setTimeout", "window.__PREACT_SIGNALS_DEVTOOLS__"}
"""What the bundle uses of the page around it; the tools for developers are set by a browser's extension alone."""

LOADS = (
    r"\bimport\s*[({*\"'\w]", r"\bimport\.meta\b", r"\bfetch\s*\(", r"\bXMLHttpRequest\b", r"\bWebSocket\b", r"\bEventSource\b",
    r"\bsendBeacon\b", r"\bimportScripts\b", r"\bnew (Shared)?Worker\b", r"@import\b", r"url\((?!#)", r"\beval\s*\(",
    r"\bnew Function\b", r"\bdocument\.(head|body|cookie|write|currentScript|getElement|querySelector)", r"\blocalStorage\b",
    r"\bsessionStorage\b", r"\bindexedDB\b", r"(?<!:)//[\w-]+(\.[\w-]+)+/",
)  # fmt: skip
"""What loads something, runs a text, or leaves traces outside of the widget's element."""


UNPACKS = r"\bimport\([\w$]+\)"
"""How the first module imports the second: the one import, of an address that it makes."""


@pytest.fixture(scope="module", params=[BUNDLE, PANELS], ids=lambda file: file.name)
def bundle(request: pytest.FixtureRequest) -> str:
    """The code of each module, without the import of the second one."""
    code = request.param.read_text(encoding="utf-8")
    rest, count = re.subn(UNPACKS, "", code)
    assert count == (request.param == BUNDLE)
    return rest


@pytest.mark.parametrize("expression", LOADS)
def test_the_bundle_loads_nothing_and_runs_no_text(bundle: str, expression: str) -> None:
    found = re.search(expression, bundle)
    assert found is None, bundle[max(0, found.start() - 60) : found.end() + 60]


def test_the_bundle_has_no_address(bundle: str) -> None:
    assert set(re.findall(r"https?://[^\"'`\s)\\]*", bundle)) <= NAMESPACES


def test_the_bundle_looks_for_nothing_outside_of_its_element(bundle: str) -> None:
    used = re.findall(r"(?<![\w.$])(?:document|window|globalThis|navigator|location|parent|top)\.\w+", bundle)
    assert set(used) <= PAGE


def test_the_module_of_a_notebook_imports_the_code_that_it_has_and_nothing_else() -> None:
    module = str(FRONTEND.module)
    assert module.count("import(address)") == 1
    assert "URL.createObjectURL(script)" in module
    others = module.replace("import(address)", "")
    assert [expression for expression in LOADS if re.search(expression, others)] == []
