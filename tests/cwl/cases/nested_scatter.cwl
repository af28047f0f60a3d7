cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, SubworkflowFeatureRequirement: {}}
inputs: {texts: "string[]"}
outputs: {all: {type: "string[]", outputSource: inner/result}}
steps:
  inner: {run: chain.cwl, scatter: text, in: {text: texts}, out: [result]}
