"""The label of a delivery of several files: what one of them says opens no other."""

from __future__ import annotations

import io
import zipfile

import pytest
from tests import builders
from tests.doors.conftest import work

from tocsin.centre.intake import services
from tocsin.centre.intake.models import Batch

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


CLEAR, RED, NONE = (
    "Report\nTLP:CLEAR\nhxxp://one[.]example\n",
    "Report\nTLP:RED\nhxxp://two[.]example\n",
    "hxxp://three[.]example\n",
)


@pytest.mark.parametrize(
    ("texts", "stated", "agreed", "label"),
    [
        ((RED, CLEAR), "", "TLP:AMBER", "TLP:RED"),
        ((CLEAR, RED), "", "TLP:AMBER", "TLP:RED"),
        ((CLEAR, CLEAR), "", "TLP:AMBER", "TLP:CLEAR"),
        ((CLEAR, NONE), "", "TLP:AMBER", "TLP:AMBER"),
        ((NONE, CLEAR), "", "TLP:AMBER+STRICT", "TLP:AMBER+STRICT"),
        ((CLEAR, NONE), "TLP:GREEN", "TLP:AMBER", "TLP:GREEN"),
        ((NONE, NONE), "", "TLP:AMBER", "TLP:AMBER"),
        ((CLEAR,), "TLP:GREEN", "TLP:AMBER", "TLP:GREEN"),
        ((RED,), "TLP:GREEN", "TLP:AMBER", "TLP:RED"),
    ],
)
def test_what_one_file_says_opens_no_other(texts: tuple[str, ...], stated: str, agreed: str, label: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for place, text in enumerate(texts):
            archive.writestr(f"{place}.txt", text)
    source = builders.organisation("careful", defaults={"tlp": agreed})
    found = services.receive(
        organisation=source, via="page", name="reports.zip", chunks=[packed.getvalue()], at=builders.NOW, marking=stated
    )
    work()
    assert set(Batch.objects.filter(delivery=found).values_list("handling_set__tlp", flat=True)) == {label}
