cwlVersion: v1.1
class: Workflow
requirements:
  - {class: ScatterFeatureRequirement}
  - {class: MultipleInputFeatureRequirement}
inputs:
  messages: {type: "string[]"}
  times: {type: "int[]", default: [1, 2]}
outputs:
  crossed: {type: {type: array, items: {type: array, items: File}}, outputSource: crossed/said}
  flat: {type: "File[]", outputSource: flat/said}
  both: {type: "File[]", outputSource: [flat/said, dotted/said], linkMerge: merge_flattened}
steps:
  crossed:
    {in: {message: messages, times: times}, scatter: [message, times], scatterMethod: nested_crossproduct, out: [said], run: tools/echo.cwl}
  flat: {in: {message: messages, times: times}, scatter: [message, times], scatterMethod: flat_crossproduct, out: [said], run: tools/echo.cwl}
  dotted: {in: {message: messages, times: times}, scatter: [message, times], scatterMethod: dotproduct, out: [said], run: tools/echo.cwl}
