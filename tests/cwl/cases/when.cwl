cwlVersion: v1.2
class: Workflow
inputs: {text: string, go: boolean}
outputs:
  result: {type: "string?", outputSource: maybe/out}
  after: {type: string, outputSource: after/out}
steps:
  maybe: {run: tools/fussy.cwl, when: $(inputs.go), in: {text: text, go: go}, out: [out]}
  after: {run: tools/join.cwl, in: {a: {source: maybe/out, default: skipped}, b: maybe/out}, out: [out]}
