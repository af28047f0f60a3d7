cwlVersion: v1.2
class: Workflow
requirements: {SubworkflowFeatureRequirement: {}}
inputs: {text: string}
outputs:
  result: {type: string, outputSource: inner/result}
  same: {type: string, outputSource: inner/same}
steps:
  inner: {run: chain.cwl, in: {text: before/out}, out: [result, same]}
  before: {run: tools/fussy.cwl, in: {text: text}, out: [out]}
