"""TensorFlow Lite's metadata tables as flatbuffer bytes.

The packages that write them need versions of protobuf or OpenCV that do not go with
TensorFlow's; what a localizer says of itself takes these few tables of the schema
(`metadata_schema.fbs` of tflite-support and of MediaPipe, file identifier M001).
"""

from typing import Any

import flatbuffers

IDENTIFIER = b"M001"
# The least version of a reader that knows every field below; those that came later
# (AssociatedFile.version, tensor groups, custom metadata) are left out.
PARSER_VERSION = "1.0.0"

# Enumerations and unions: the numbers are the schema's.
DESCRIPTIONS, TENSOR_VALUE_LABELS = 1, 3  # AssociatedFile.type
RGB = 1  # ImageProperties.color_space
BOUNDARIES = 1  # BoundingBoxProperties.type: left, top, right, bottom
PIXEL = 1  # BoundingBoxProperties.coordinate_type
UNION_TYPES = {  # of Content.content_properties and of ProcessUnit.options
    "FeatureProperties": 1,
    "ImageProperties": 2,
    "BoundingBoxProperties": 3,
    "NormalizationOptions": 1,
}
# {table: its fields in the schema's order}. A field left out of a document is absent.
TABLES = {
    "AssociatedFile": {"name": "string", "description": "string", "type": "byte"},
    "FeatureProperties": {},
    "ImageSize": {"width": "uint", "height": "uint"},
    "ImageProperties": {"color_space": "byte", "default_size": "ImageSize"},
    "BoundingBoxProperties": {
        "index": "[uint]",
        "type": "byte",
        "coordinate_type": "byte",
    },
    "ValueRange": {"min": "int", "max": "int"},
    "Content": {
        "content_properties_type": "ubyte",
        "content_properties": "union",
        "range": "ValueRange",
    },
    "NormalizationOptions": {"mean": "[float]", "std": "[float]"},
    "ProcessUnit": {"options_type": "ubyte", "options": "union"},
    "Stats": {"max": "[float]", "min": "[float]"},
    "TensorMetadata": {
        "name": "string",
        "description": "string",
        "dimension_names": "[string]",
        "content": "Content",
        "process_units": "[ProcessUnit]",
        "stats": "Stats",
        "associated_files": "[AssociatedFile]",
    },
    "SubGraphMetadata": {
        "name": "string",
        "description": "string",
        "input_tensor_metadata": "[TensorMetadata]",
        "output_tensor_metadata": "[TensorMetadata]",
    },
    "ModelMetadata": {
        "name": "string",
        "description": "string",
        "version": "string",
        "subgraph_metadata": "[SubGraphMetadata]",
        "author": "string",
        "license": "string",
        "associated_files": "[AssociatedFile]",
        "min_parser_version": "string",
    },
}


def encode(document: dict[str, Any]) -> bytes:
    """A ModelMetadata document -> the flatbuffer.

    Args:
      document: {field: value} as `TABLES` has them, tables as dicts; a union as the
        pair (name of its table, dict).
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(
        _write_table(
            builder, "ModelMetadata", {**document, "min_parser_version": PARSER_VERSION}
        ),
        IDENTIFIER,
    )
    return bytes(builder.Output())


def _write_table(builder, table: str, document: dict[str, Any]) -> int:
    """Writes the children, then the table; returns its offset."""
    fields, document = TABLES[table], dict(document)
    if unknown := set(document) - set(fields):
        raise KeyError(f"{table} has no field {min(unknown)!r}")
    for field, kind in fields.items():
        if field not in document:
            continue
        if kind == "union":
            member, content = document[field]
            document[f"{field}_type"] = UNION_TYPES[member]
            document[field] = _write_table(builder, member, content)
        elif kind not in ("byte", "ubyte", "int", "uint"):
            document[field] = _write_child(builder, kind, document[field])
    prepend_scalar = {
        "byte": builder.PrependInt8Slot,
        "ubyte": builder.PrependUint8Slot,
        "int": builder.PrependInt32Slot,
        "uint": builder.PrependUint32Slot,
    }
    builder.StartObject(len(fields))
    for slot, (field, kind) in enumerate(fields.items()):
        if field in document:
            prepend = prepend_scalar.get(kind, builder.PrependUOffsetTRelativeSlot)
            prepend(slot, document[field], 0)
    return builder.EndObject()


def _write_child(builder, kind: str, value) -> int:
    """Writes a string, a table or a vector; returns its offset."""
    if kind == "string":
        return builder.CreateString(value)
    if not kind.startswith("["):
        return _write_table(builder, kind, value)
    element = kind[1:-1]
    prepend = {"float": builder.PrependFloat32, "uint": builder.PrependUint32}.get(
        element
    )
    if prepend is None:
        value = [_write_child(builder, element, item) for item in value]
        prepend = builder.PrependUOffsetTRelative
    builder.StartVector(4, len(value), 4)
    for item in reversed(value):
        prepend(item)
    return builder.EndVector()
