cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {texts: "string[]"}
outputs:
  first: {type: "string[]", outputSource: first/out}
  second: {type: "string[]", outputSource: second/out}
steps:
  first: {run: tools/fussy.cwl, scatter: text, in: {text: texts}, out: [out]}
  second: {run: tools/join.cwl, scatter: [a], in: {a: first/out, b: texts}, out: [out]}
