cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {texts: "string[]"}
outputs:
  sizes: {type: "int[]", outputSource: each/size}
  evens: {type: "boolean[]", outputSource: each/even}
steps:
  each: {run: tools/measure.cwl, scatter: text, in: {text: texts}, out: [size, {id: even}]}
