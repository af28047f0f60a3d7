cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {left: "string[]", right: "int[]"}
outputs: {pairs: {type: {type: array, items: {type: array, items: string}}, outputSource: s/out}}
steps:
  s: {run: tools/join.cwl, scatter: [a, b], scatterMethod: nested_crossproduct, in: {a: left, b: right}, out: [out]}
