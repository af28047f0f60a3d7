cwlVersion: v1.2
class: Workflow
inputs: {text: string}
outputs: {result: {type: "string?", outputSource: even/out}}
steps:
  measure: {run: tools/measure.cwl, in: {text: text}, out: [even]}
  even: {run: tools/fussy.cwl, when: $(inputs.go), in: {text: text, go: measure/even}, out: [out]}
