cwlVersion: v1.2
class: Workflow
inputs: {text: string}
outputs:
  result: {type: string, outputSource: last/out}
  same: {type: string, outputSource: text}
steps:
  last: {run: tools/join.cwl, in: {a: first/out, b: text}, out: [out]}
  first: {run: tools/fussy.cwl, in: {text: text}, out: [out]}
