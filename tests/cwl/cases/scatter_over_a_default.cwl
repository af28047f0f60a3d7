cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {texts: {type: ["null", {type: array, items: string}]}}
outputs: {all: {type: "string[]", outputSource: s/out}}
steps:
  s: {run: tools/join.cwl, scatter: a, in: {a: {source: texts, default: [of, the step]}}, out: [out]}
