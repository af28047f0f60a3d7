cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}}
inputs: {text: string}
outputs: {all: {type: "string[]", outputSource: each/out}}
steps:
  split: {run: tools/split.cwl, in: {text: text}, out: [out]}
  each: {run: tools/fussy.cwl, scatter: text, in: {text: split/out}, out: [out]}
