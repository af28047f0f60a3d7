cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: 
  left: string[]
  right: {type: {type: array, items: Any}}
  same: string
outputs: {pairs: {type: "string[]", outputSource: s/out}}
steps:
  s: {run: tools/join.cwl, scatter: [a, b], scatterMethod: dotproduct, in: {a: left, b: right, c: same}, out: [out]}
