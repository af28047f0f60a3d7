cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, StepInputExpressionRequirement: {}}
inputs: {any: Any}
outputs: {all: {type: "string[]", outputSource: s/out}}
steps:
  s: {run: tools/join.cwl, scatter: a, in: {a: any}, out: [out]}
