cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {left: "string[]", right: "int[]"}
outputs: {pairs: {type: "string[]", outputSource: s/out}}
steps:
  s: {run: tools/join.cwl, scatter: [a, b], scatterMethod: flat_crossproduct, in: {a: left, b: right}, out: [out]}
