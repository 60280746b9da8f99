"""What the tests of the contracts share."""

import pytest
from probing import Prober


@pytest.fixture(scope="session")
def prober():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("G8R_NICKEL", "embedded")
        made = Prober()
        yield made
        made.child.close()
