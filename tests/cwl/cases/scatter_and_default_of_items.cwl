cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {texts: {type: {type: array, items: ["null", string]}}}
outputs: {all: {type: "string[]", outputSource: s/out}}
steps:
  s: {run: tools/join.cwl, scatter: a, in: {a: {source: texts, default: [no, item]}, b: {default: here}}, out: [out]}
