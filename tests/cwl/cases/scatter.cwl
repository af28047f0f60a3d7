cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {texts: "string[]"}
outputs:
  all: {type: "string[]", outputSource: each/out}
  together: {type: string, outputSource: gather/out}
steps:
  each: {run: tools/join.cwl, scatter: a, in: {a: texts}, out: [out]}
  gather: {run: tools/join.cwl, in: {a: each/out}, out: [out]}
