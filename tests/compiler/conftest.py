"""What the tests of the language share: the toy kinds with their contracts, and both evaluators."""

import shutil

import pytest
import toys
from evaluators import SHIPPED

from g8r.compiler import contracts, evaluate


@pytest.fixture(scope="session")
def toy_contracts(tmp_path_factory):
    """The shipped contracts, with the toy kinds in place of the real ones."""
    folder = tmp_path_factory.mktemp("contracts") / "contracts"
    shutil.copytree(SHIPPED, folder)
    shutil.rmtree(folder / "kinds")
    (folder / "kinds").mkdir()
    for name, text in contracts.generate(toys.KINDS).items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def embedded(monkeypatch):
    monkeypatch.setenv("G8R_NICKEL", "embedded")


@pytest.fixture
def load(toy_contracts, tmp_path, embedded):
    """Load a stack from text, one without mistakes; the toy kinds are known."""

    def load_text(text, name="main.ncl", variables=(), **settings):
        source = tmp_path / name
        source.write_bytes(text if isinstance(text, bytes) else text.encode())
        pending = evaluate.start(source, variables, contracts=toy_contracts, kinds=toys.KINDS, **settings)
        with pending:
            loaded = pending.finish()
            loaded.reject_mistakes()
            return loaded

    return load_text
