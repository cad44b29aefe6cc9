"""The catalogue of weaknesses, in a small test file with MITRE's schema."""

import io
import zipfile
from pathlib import Path

import pytest

from ssc_ingest.errors import MalformedMetadata, ResponseTooLarge
from ssc_ingest.vulnerabilities import cwe_catalogue
from ssc_ingest.vulnerabilities.cwe_catalogue import read_catalogue

CATALOGUE = """<?xml version="1.0" encoding="UTF-8"?>
<Weakness_Catalog Name="CWE" Version="4.16" xmlns="http://cwe.mitre.org/cwe-7"
    xmlns:xhtml="http://www.w3.org/1999/xhtml">
  <Weaknesses>
    <Weakness ID="79" Name="Cross-site Scripting" Abstraction="Base" Structure="Simple"
        Status="Stable">
      <Description>The product does not
        neutralize input.</Description>
      <Extended_Description><xhtml:p>There are <xhtml:b>three</xhtml:b> kinds.</xhtml:p>
      </Extended_Description>
      <Related_Weaknesses><Related_Weakness Nature="ChildOf" CWE_ID="74"/></Related_Weaknesses>
    </Weakness>
    <Weakness Name="without a number"><Description>x</Description></Weakness>
    <Weakness ID="0 or 1=1"><Description>x</Description></Weakness>
  </Weaknesses>
  <Categories>
    <Category ID="310" Name="Cryptographic Issues" Status="Draft">
      <Summary>Weaknesses of cryptography.</Summary>
    </Category>
  </Categories>
  <Views><View ID="1000" Name="Research" Status="Draft"/></Views>
</Weakness_Catalog>
"""


@pytest.fixture(params=["xml", "zip"])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The file, plain and zipped."""
    path = tmp_path / f"cwec.{request.param}"
    if request.param == "xml":
        path.write_text(CATALOGUE)
        return path
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("cwec_v4.16.xml", CATALOGUE)
    path.write_bytes(buffer.getvalue())
    return path


def test_weaknesses_and_categories(catalogue: Path) -> None:
    """The field names are those of the readers' queries."""
    weakness, category = read_catalogue(catalogue)
    assert weakness == {
        "id": "CWE-79",
        "@ID": "79",
        "@Name": "Cross-site Scripting",
        "@Abstraction": "Base",
        "@Structure": "Simple",
        "@Status": "Stable",
        "Description": "The product does not neutralize input.",
        "ExtendedDescription": "There are three kinds.",
        "ExternalReference": "https://cwe.mitre.org/data/definitions/79.html",
    }
    assert (category["id"], category["@Abstraction"]) == ("CWE-310", "Category")
    assert category["Description"] == "Weaknesses of cryptography."


BILLION = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    '<Weakness_Catalog><Weaknesses><Weakness ID="1"><Description>&b;</Description></Weakness>'
    "</Weaknesses></Weakness_Catalog>"
)
FILE = BILLION.replace('"aaaaaaaaaa"', 'SYSTEM "file:///etc/passwd"').replace("&b;", "&a;")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no XML",
        "<other/>",
        "<Weakness_Catalog/>",
        "<Weakness_Catalog><Weaknesses><Weakness/></Weaknesses></Weakness_Catalog>",
        BILLION,
        FILE,
        "<Weakness_Catalog>" + "<a>" * 5000 + "</a>" * 5000 + "</Weakness_Catalog>",
        CATALOGUE[:500],
    ],
)
def test_what_is_no_catalogue(text: str, tmp_path: Path) -> None:
    """Entities are never expanded and nothing is downloaded; an empty catalogue is an error."""
    path = tmp_path / "x.xml"
    path.write_text(text)
    with pytest.raises(MalformedMetadata):
        read_catalogue(path)


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain and the zipped file have a limit."""
    monkeypatch.setattr(cwe_catalogue, "MAX_SIZE", 1000)
    path = tmp_path / "x"
    path.write_text(" " * 2000)
    with pytest.raises(ResponseTooLarge):
        read_catalogue(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.xml", " " * 2000)
    with pytest.raises(ResponseTooLarge):
        read_catalogue(path)
