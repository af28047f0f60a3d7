cwlVersion: v1.2
class: Workflow
inputs: {text: string, go: Any}
outputs: {result: {type: "string?", outputSource: maybe/out}}
steps:
  maybe: {run: tools/fussy.cwl, when: $(inputs.go), in: {text: text, go: go}, out: [out]}
