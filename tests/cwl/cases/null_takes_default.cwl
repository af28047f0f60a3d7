cwlVersion: v1.2
class: Workflow
inputs: {text: string}
outputs: {result: {type: string, outputSource: last/out}}
steps:
  first: {run: tools/maybe.cwl, in: {text: text}, out: [out]}
  last: {run: tools/join.cwl, in: {a: {source: first/out, default: nothing came}, b: first/out}, out: [out]}
