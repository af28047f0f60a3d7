cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs:
  maybe: string?
  several: "string[]?"
  gaps: {type: {type: array, items: ["null", string]}}
  either: [int, string]
outputs: {first: {type: File, outputSource: maybe/said}, counts: {type: "File[]", outputSource: several/said}}
steps:
  maybe: {in: {message: maybe, unknown: either}, out: [said], run: tools/echo.cwl}
  several: {in: {message: several}, scatter: message, out: [said], run: tools/echo.cwl}
  gaps: {in: {message: gaps}, scatter: message, out: [said], run: tools/echo.cwl}
  either: {in: {message: either}, out: [], run: tools/echo.cwl}
