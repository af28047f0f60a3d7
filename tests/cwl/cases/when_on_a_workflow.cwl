cwlVersion: v1.2
class: Workflow
requirements: {SubworkflowFeatureRequirement: {}}
inputs: {text: string, go: boolean}
outputs:
  result: {type: "string?", outputSource: inner/result}
  same: {type: "string?", outputSource: inner/same}
  after: {type: string, outputSource: after/out}
steps:
  inner: {run: chain.cwl, when: $(inputs.go), in: {text: text, go: go}, out: [result, same]}
  after: {run: tools/join.cwl, in: {a: inner/result, b: {source: inner/same, default: was skipped}}, out: [out]}
